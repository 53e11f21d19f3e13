import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Lock, Locks } from '../engine/lock.ts';
import { ballastOf } from './ballast.ts';
import { findRoom } from './find-room.ts';

/**
 * Locks of a home folder, one file for each subject. The lock is the kernel's own (fcntl), taken by
 * SQLite's exclusive transaction on an empty database: no dead owner ever needs a manual unlock, and
 * no process has to be kept alive to hold it. Throws HomeError where it cannot be made.
 */
export function sqliteLocks(home: string): Locks {
  const folder = join(home, 'locks');
  const ballast = ballastOf(home);
  return {
    tryAcquire(subject) {
      const name = createHash('sha256').update(subject).digest('hex').slice(0, 32);
      return findRoom(home, ballast, () => {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        return take(join(folder, name));
      });
    },
  };
}

function take(path: string): Lock | undefined {
  const fresh = !existsSync(path);
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    // By its name: to open and close it beside SQLite would let go a lock that this process holds.
    if (fresh) chmodSync(path, 0o600);
    // The first page of an empty database would be written, to be taken back, to a file of its own: in
    // memory, a lock that is there needs no room on the disk.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}

const SQLITE_BUSY = 5;
