import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { type Ballast, ballastOf } from './ballast.ts';
import type { Connection } from './connection.ts';
import { findRoom } from './find-room.ts';
import { outOfRoom } from './health.ts';
import { NoRoomError } from './home-error.ts';
import { connect, connectForReading } from './open-database.ts';

/** One connection to the database of a home folder, with the checks that its use rests on. */
export interface Database {
  readonly sqlite: DatabaseSync;
  /**
   * Run inside one write transaction. `durable`: wait for the disk before returning. On a full disk the
   * ballast is given up, and `body` runs once more. Throws JournalFailedError.
   */
  transaction<T>(durable: boolean, body: () => T): T;
  /**
   * A durable transaction that begins something new: it has the room to be brought to its end, and
   * never takes the ballast's. Throws NoRoomError before anything was written, and JournalFailedError.
   */
  begin<T>(body: () => T): T;
  /** Move a log that has grown into the database: between operations, so that no guest waits for it. */
  tidy(): void;
  /** Something stored does not read as it was written: the error to throw; nothing is written any more. */
  damaged(what: string, cause?: unknown): Error;
  close(): void;
}

/** What a home folder is opened for: who only reads makes none. */
export type Purpose = 'work' | 'read';

/**
 * Open (and make or migrate) the database in a home folder. On a full disk the ballast lends the room
 * that this takes. Throws HomeError for a folder that cannot be used, and for a database of a newer
 * version; DamagedError for one that is not what was written, before anything is written to it.
 */
export function openDatabase(home: string, purpose: Purpose = 'work'): Database {
  const path = join(home, 'domsnap.db');
  const ballast = ballastOf(home);
  const sqlite = findRoom(home, ballast, () =>
    purpose === 'read' ? connectForReading(home) : connect(home),
  );
  if (purpose === 'work') ballast.make();
  const transaction = transactionOn(sqlite);
  return {
    sqlite,
    transaction: (durable, body) => withBallast(sqlite, ballast, () => transaction(durable, body)),
    begin(body) {
      sqlite.mustWork();
      if (!ballast.make()) throw new NoRoomError(home, { holdsJournal: true });
      try {
        return transaction(true, body);
      } catch (cause) {
        if (outOfRoom(cause)) throw new NoRoomError(home, { holdsJournal: true, cause });
        throw sqlite.judged(cause);
      }
    },
    tidy: () => tidy(sqlite, path),
    damaged: (what, cause) => sqlite.damaged(what, cause),
    close() {
      sqlite.close();
      ballast.takeBack();
    },
  };
}

/** Some fifty operations. */
const LOG_BYTES_MAX = 4 * 1024 * 1024;

function tidy(sqlite: Connection, path: string): void {
  const bytes = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes < LOG_BYTES_MAX) return;
  try {
    sqlite.exec('PRAGMA wal_checkpoint(PASSIVE)');
  } catch (error) {
    // What was recorded is in the log, durably; only a disk that fails is not to be relied on any more.
    if (!outOfRoom(error)) sqlite.judged(error);
  }
}

function transactionOn(sqlite: Connection): Database['transaction'] {
  let level: 'FULL' | 'NORMAL' = 'FULL';
  return (durable, body) => {
    const wanted = durable ? 'FULL' : 'NORMAL';
    // In WAL mode, NORMAL leaves a commit in the page cache; the next FULL commit syncs it too.
    if (level !== wanted) sqlite.exec(`PRAGMA synchronous = ${wanted}`);
    level = wanted;
    sqlite.exec('BEGIN IMMEDIATE');
    try {
      const result = body();
      sqlite.exec('COMMIT');
      return result;
    } catch (error) {
      if (sqlite.isTransaction) sqlite.exec('ROLLBACK');
      throw error;
    }
  };
}

/** A write that found no space has written nothing: it is the one failure that may be tried again. */
function withBallast<T>(sqlite: Connection, ballast: Ballast, once: () => T): T {
  sqlite.mustWork();
  try {
    return once();
  } catch (error) {
    if (!outOfRoom(error)) throw sqlite.judged(error);
  }
  ballast.giveUp();
  try {
    return once();
  } catch (error) {
    throw sqlite.judged(error);
  }
}
