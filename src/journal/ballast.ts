import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** A file that holds room: on a full disk it is given up, so that open operations can be brought to their end. */
export interface Ballast {
  /** Have it there, whole. False where there is no room for it. */
  make(): boolean;
  /** Give up as much of it as opening a journal takes. False where there is none left. */
  lend(): boolean;
  /** Have back what was lent, where that room is still there. */
  takeBack(): void;
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
/** An index of the log has 32 KiB; a file, a folder or a lock takes one block. */
const LENT_BYTES = 128 * 1024;

/** The ballast of a home folder: `ballast`, 2 MiB. */
export function ballastOf(home: string): Ballast {
  const path = join(home, 'ballast');
  let lent = false;
  return {
    make: () => fill(home, path, SPARE_BYTES),
    lend() {
      const bytes = sizeOf(path);
      if (!bytes) return false;
      truncateSync(path, Math.max(0, bytes - LENT_BYTES));
      lent = true;
      return true;
    },
    takeBack() {
      // What was given up for an operation is had back when there is room to spare.
      if (lent && sizeOf(path)) fill(home, path, 0);
      lent = false;
    },
    giveUp() {
      rmSync(path, { force: true });
    },
  };
}

/** Have the whole of it; what is there stays as it is, where there is no room for the rest. */
function fill(home: string, path: string, spareBytes: number): boolean {
  const had = sizeOf(path) ?? 0;
  if (had >= BALLAST_BYTES) return true;
  try {
    const { bavail, bsize } = statfsSync(home);
    if (bavail * bsize < BALLAST_BYTES - had + spareBytes) return false;
    const file = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      // Of chance, since a file system may keep zeros without room; synced, since room is taken then.
      const bytes = randomBytes(BALLAST_BYTES - had);
      for (let at = 0; at < bytes.length; ) {
        at += writeSync(file, bytes, at, bytes.length - at, had + at);
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    return true;
  } catch {
    if (had === 0) rmSync(path, { force: true });
    else if (sizeOf(path)) truncateSync(path, had);
    return false;
  }
}

const sizeOf = (path: string): number | undefined =>
  statSync(path, { throwIfNoEntry: false })?.size;
