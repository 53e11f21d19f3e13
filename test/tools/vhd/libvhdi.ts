import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const SCRIPT = join(import.meta.dirname, 'libvhdi.py');

/** Debian's own Python, for which its libvhdi is built; another one may come first in PATH. */
const PYTHON = '/usr/bin/python3';

/**
 * What a VHD shows, its parents included, as libvhdi reads it: an independent reader. Of a differencing one
 * it is right only where whole groups of 8 sectors are held (20210425): behind a sector that an image holds
 * it takes all to the end of its byte of the map for held, since it does not mask the bits above.
 */
export const readByLibvhdi = (path: string): Buffer =>
  execFileSync(PYTHON, [SCRIPT, path], { maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'pipe'] });

/** A VHD and its parents, by their names, and the digest of what it shows. */
export interface Shown {
  readonly chain: readonly string[];
  readonly sha256: string;
}

/** The same for several, without the content. */
export const digestsByLibvhdi = (paths: readonly string[]): readonly Shown[] =>
  JSON.parse(
    execFileSync(PYTHON, [SCRIPT, '--digest', ...paths], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );

/** Why this machine cannot run it; empty where it can. */
export function libvhdiMissing(): string {
  try {
    execFileSync(PYTHON, ['-c', 'import pyvhdi'], { stdio: 'ignore' });
    return '';
  } catch {
    return 'libvhdi for Python is not there (Debian: python3-libvhdi)';
  }
}
