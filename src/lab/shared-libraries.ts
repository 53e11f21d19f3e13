import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Argv } from '../tools/run.ts';
import { LabError } from './lab-error.ts';
import { type LabTools, runLabTool } from './lab-tools.ts';

const triplet = 'x86_64-linux-gnu';

/** The loader of an unpacked libc6: by its real name, since its symlink leads out of the tree. */
export function loaderOf(root: string): string {
  const places = [`lib/${triplet}`, `usr/lib/${triplet}`, 'lib64', 'usr/lib64', 'lib'];
  for (const place of places) {
    const path = join(root, place, 'ld-linux-x86-64.so.2');
    if (existsSync(path)) return path;
  }
  throw new LabError(`no loader in the unpacked packages at ${root}`);
}

/** The loader with the libraries of the unpacked tree, and none of the host's. */
function loading(root: string, ...options: string[]): [string, ...string[]] {
  const folders = [`lib/${triplet}`, `usr/lib/${triplet}`, 'lib'].map(path => join(root, path));
  const path = folders.join(':');
  return [loaderOf(root), ...options, '--inhibit-cache', '--library-path', path];
}

/** How to run a program of an unpacked tree on this host. */
export function programOf(root: string, program: string, args: readonly string[]): Argv {
  return [...loading(root), join(root, program), ...args];
}

/** The libraries that ld.so's `--list` names, as paths; throws LabError on one not found. */
export function parseLibraryList(text: string): string[] {
  const paths: string[] = [];
  for (const line of text.split('\n')) {
    const missing = /^\s*(\S+) => not found/.exec(line);
    if (missing) throw new LabError(`no package of the lab guest's holds ${missing[1]}`);
    const found = /^\s*\S+ => (\/.+) \(0x[0-9a-f]+\)$/.exec(line);
    if (found) paths.push(found[1]!);
  }
  return paths;
}

/**
 * All shared libraries that a program of an unpacked tree needs, as paths within that tree.
 * Throws LabError if one would come from the host instead.
 */
export async function sharedLibraries(
  tools: LabTools,
  root: string,
  program: string,
): Promise<string[]> {
  const { stdout } = await runLabTool(tools, [...loading(root, '--list'), join(root, program)]);
  const paths = parseLibraryList(stdout);
  const foreign = paths.find(path => !path.startsWith(`${root}/`));
  if (foreign === undefined) return paths;
  throw new LabError(`${program} of the lab guest would use the host's ${foreign}`);
}
