import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** A file that holds room: on a full disk it is given up, so that open operations can be brought to their end. */
export interface Ballast {
  /** Have it there. False where there is no room for it. */
  make(): boolean;
  /** Give its room to whoever needs it now. */
  giveUp(): void;
}

/**
 * A record takes about 20 kB of the write-ahead log, and the longest way back of any case has some 30
 * of them: enough for three operations at once.
 */
const BALLAST_BYTES = 2 * 1024 * 1024;
/** What it leaves to others, so that the ballast itself is not what fills the disk. */
const SPARE_BYTES = 256 * 1024;

/** The ballast of a home folder: `ballast`, 2 MiB. */
export function ballastOf(home: string): Ballast {
  const path = join(home, 'ballast');
  return {
    make() {
      if (sizeOf(path) === BALLAST_BYTES) return true;
      const draft = `${path}.${process.pid}`;
      try {
        const { bavail, bsize } = statfsSync(home);
        if (bavail * bsize < BALLAST_BYTES + SPARE_BYTES) return false;
        const file = openSync(draft, 'w', 0o600);
        try {
          // Of chance, since a file system may keep zeros without room; synced, since room is taken then.
          const bytes = randomBytes(BALLAST_BYTES);
          for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
          fsyncSync(file);
        } finally {
          closeSync(file);
        }
        renameSync(draft, path);
        return true;
      } catch {
        rmSync(draft, { force: true });
        return false;
      }
    },
    giveUp() {
      rmSync(path, { force: true });
    },
  };
}

const sizeOf = (path: string): number | undefined =>
  statSync(path, { throwIfNoEntry: false })?.size;
