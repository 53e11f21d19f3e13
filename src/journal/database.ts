import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { type Ballast, ballastOf } from './ballast.ts';
import { Connection, SQLITE_FULL } from './connection.ts';
import { errcodeOf, mustBeSound } from './health.ts';
import { HomeError, NoRoomError } from './home-error.ts';
import { MIGRATIONS } from './schema.ts';

/** One connection to the database of a home folder, with the checks that its use rests on. */
export interface Database {
  readonly sqlite: DatabaseSync;
  /**
   * Run inside one write transaction. `durable`: wait for the disk before returning. On a full disk the
   * ballast is given up, and `body` runs once more. Throws JournalFailedError.
   */
  transaction<T>(durable: boolean, body: () => T): T;
  /** Have room to bring to its end what is about to begin. Throws NoRoomError. */
  mustHaveRoom(): void;
  /** Move a log that has grown into the database: between operations, so that no guest waits for it. */
  tidy(): void;
  /** Something stored does not read as it was written: the error to throw; nothing is written any more. */
  damaged(what: string, cause?: unknown): Error;
  close(): void;
}

/**
 * Open (and make or migrate) the database in a home folder.
 * Throws HomeError for a folder that is read-only, and for a database of a newer version; DamagedError
 * for one that is not what was written, before anything is written to it.
 */
export function openDatabase(home: string): Database {
  const path = join(home, 'domsnap.db');
  let sqlite: Connection;
  try {
    refusePseudo(home);
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const fresh = mustBeSound(path) === 'fresh';
    sqlite = new Connection(path);
    if (fresh) chmodSync(path, 0o600);
    sqlite.exec('PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON;');
  } catch (cause) {
    throw cause instanceof HomeError ? cause : unusable(home, cause);
  }
  try {
    refuseNewer(sqlite, path);
    setUp(sqlite, home);
  } catch (cause) {
    sqlite.close();
    throw cause instanceof HomeError ? cause : unusable(home, cause);
  }
  const ballast = ballastOf(home);
  ballast.make();
  return {
    sqlite,
    transaction: transactionOn(sqlite, ballast),
    mustHaveRoom() {
      if (!ballast.make()) {
        throw new NoRoomError(`there is no room for the journal in the home folder ${home}`);
      }
    },
    tidy: () => tidy(sqlite, path),
    damaged: (what, cause) => sqlite.damaged(what, cause),
    close: () => sqlite.close(),
  };
}

/** In /proc, node's recursive mkdir tries for ever (node 24); nothing can be kept there anyway. */
function refusePseudo(home: string): void {
  if (/^\/(proc|sys|dev)(\/|$)/.test(resolve(home))) throw new Error('nothing can be kept there');
}

function unusable(home: string, cause: unknown): HomeError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const hint = existsSync(home) && statSync(home).isDirectory() ? '' : ' (it is not a folder)';
  return new HomeError(`the home folder ${home} cannot be used${hint}: ${why}`, { cause });
}

function refuseNewer(sqlite: DatabaseSync, path: string): void {
  const version = numberOf(sqlite, 'PRAGMA user_version');
  if (version > MIGRATIONS.length) {
    throw new HomeError(
      `${path} was written by a newer domsnap (schema ${version}, this one knows ${MIGRATIONS.length}); it was not changed`,
    );
  }
}

function setUp(sqlite: DatabaseSync, home: string): void {
  if (text(sqlite, 'PRAGMA journal_mode') !== 'wal') {
    if (text(sqlite, 'PRAGMA journal_mode = WAL') !== 'wal') {
      throw new HomeError(`the file system of ${home} cannot hold a write-ahead log`);
    }
  }
  // By itself SQLite would move the log into the database at any commit, one in the window too.
  sqlite.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;');
  // Older ones can corrupt a write-ahead log that several processes use (sqlite.org/wal.html#walresetbug).
  const [major = 0, minor = 0, patch = 0] = text(sqlite, 'SELECT sqlite_version()')
    .split('.')
    .map(Number);
  if (major * 1e6 + minor * 1e3 + patch < 3_051_003) {
    throw new HomeError(
      'domsnap needs SQLite 3.51.3 or newer inside Node: use Node 24.15 or newer',
    );
  }
  migrate(sqlite);
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
    if ((errcodeOf(error) & 0xff) !== SQLITE_FULL) sqlite.judged(error);
  }
}

function migrate(sqlite: DatabaseSync): void {
  if (numberOf(sqlite, 'PRAGMA user_version') === MIGRATIONS.length) return;
  sqlite.exec('BEGIN IMMEDIATE');
  try {
    const from = numberOf(sqlite, 'PRAGMA user_version');
    for (const statements of MIGRATIONS.slice(from)) sqlite.exec(statements);
    sqlite.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
    sqlite.exec('COMMIT');
  } catch (error) {
    sqlite.exec('ROLLBACK');
    throw error;
  }
}

function transactionOn(sqlite: Connection, ballast: Ballast): Database['transaction'] {
  let level: 'FULL' | 'NORMAL' = 'FULL';
  const once = <T>(durable: boolean, body: () => T): T => {
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
  return (durable, body) => {
    sqlite.mustWork();
    try {
      return once(durable, body);
    } catch (error) {
      if ((errcodeOf(error) & 0xff) !== SQLITE_FULL) throw sqlite.judged(error);
    }
    // A write that found no space has written nothing: it is the one failure that may be tried again.
    ballast.giveUp();
    try {
      return once(durable, body);
    } catch (error) {
      throw sqlite.judged(error);
    }
  };
}

const numberOf = (sqlite: DatabaseSync, query: string): number =>
  Number(Object.values(sqlite.prepare(query).get() ?? { value: 0 })[0]);
const text = (sqlite: DatabaseSync, query: string): string =>
  String(Object.values(sqlite.prepare(query).get() ?? { value: '' })[0]);
