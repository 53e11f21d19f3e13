import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MIB = 1024 * 1024;
const AT_ONCE_BYTES = 256 * 1024;

/** A file system in memory, whose end can be brought to what is used of it. */
export interface TightDisk {
  /** Private to its user. */
  readonly folder: string;
  /** From now on there is no room for more than so many bytes. */
  tighten(leftBytes: number): void;
  /** There is room again. */
  loosen(): void;
  unmount(): void;
}

/** Mount one; only root can. No filler is written: that would cost the host the memory it stands for. */
export function tightDisk(sizeMib: number): TightDisk {
  const mount = mkdtempSync(join(tmpdir(), 'domsnap-tight-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m,mode=0700`, 'tmpfs', mount]);
  const folder = join(mount, 'files');
  mkdirSync(folder, { mode: 0o700 });
  const resize = (size: string) =>
    execFileSync('mount', ['-o', `remount,size=${size}`, mount], { stdio: 'pipe' });
  return {
    folder,
    tighten(leftBytes) {
      // More may be written meanwhile, and a file system cannot be smaller than what it holds.
      for (let sparedBytes = leftBytes; ; sparedBytes = sparedBytes * 2 + AT_ONCE_BYTES) {
        const { blocks, bfree, bsize } = statfsSync(mount);
        try {
          resize(String((blocks - bfree) * bsize + sparedBytes));
          return;
        } catch (error) {
          if (sparedBytes > sizeMib * MIB) throw error;
        }
      }
    },
    loosen: () => void resize(`${sizeMib}m`),
    unmount() {
      // Lazily: what a killed process had open may be let go a moment later.
      execFileSync('umount', ['-l', mount]);
      rmSync(mount, { recursive: true });
    },
  };
}
