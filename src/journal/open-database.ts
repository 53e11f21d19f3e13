import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { Connection } from './connection.ts';
import { mustBeSound } from './health.ts';
import { HomeError } from './home-error.ts';
import { mayHoldJournal, troubleOf } from './home-trouble.ts';
import { MIGRATIONS } from './schema.ts';

/** Open the database of a home folder, and make or migrate it. Throws HomeError, and what SQLite throws. */
export function connect(home: string): Connection {
  const path = join(home, 'domsnap.db');
  refusePseudo(home);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const fresh = mustBeSound(path) === 'fresh';
  const sqlite = new Connection(path);
  try {
    if (fresh) chmodSync(path, 0o600);
    sqlite.exec('PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON;');
    refuseNewer(sqlite, path);
    setUp(sqlite, home);
  } catch (error) {
    sqlite.close();
    throw error;
  }
  return sqlite;
}

/**
 * The same for one who only reads: where no home is, none is made, and an empty one is read; on a
 * read-only file system nothing is laid beside the database. Throws as `connect` does.
 */
export function connectForReading(home: string): Connection {
  const path = join(home, 'domsnap.db');
  const trouble = troubleOf(home);
  if (!mayHoldJournal(home) && trouble?.trouble !== 'not-a-folder') {
    if (mustBeSound(path) === 'fresh') return emptyOne(path);
  }
  if (trouble?.trouble !== 'read-only') return connect(home);
  // A log that is not empty must be read with its index, and that cannot be made there.
  if (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size || mustBeSound(path) === 'fresh') {
    const message = `the home folder ${home} cannot be used: ${trouble.why}, and its journal was not closed`;
    throw new HomeError(message, { trouble: 'read-only', holdsJournal: true });
  }
  const at = pathToFileURL(path);
  at.searchParams.set('immutable', '1');
  const sqlite = new Connection(path, { at, readOnly: true });
  try {
    refuseNewer(sqlite, path);
  } catch (error) {
    sqlite.close();
    throw error;
  }
  return sqlite;
}

function emptyOne(path: string): Connection {
  const sqlite = new Connection(path, { at: ':memory:', readOnly: false });
  migrate(sqlite);
  return sqlite;
}

/** In /proc, node's recursive mkdir tries for ever (node 24); nothing can be kept there anyway. */
function refusePseudo(home: string): void {
  if (/^\/(proc|sys|dev)(\/|$)/.test(resolve(home))) throw new Error('nothing can be kept there');
}

function refuseNewer(sqlite: DatabaseSync, path: string): void {
  const version = numberOf(sqlite, 'PRAGMA user_version');
  if (version > MIGRATIONS.length) {
    throw new HomeError(
      `${path} was written by a newer domsnap (schema ${version}, this one knows ${MIGRATIONS.length}); it was not changed`,
      { trouble: 'newer', holdsJournal: true },
    );
  }
}

function setUp(sqlite: DatabaseSync, home: string): void {
  if (text(sqlite, 'PRAGMA journal_mode') !== 'wal') {
    if (text(sqlite, 'PRAGMA journal_mode = WAL') !== 'wal') {
      const message = `the file system of ${home} cannot hold a write-ahead log`;
      throw new HomeError(message, { holdsJournal: mayHoldRecords(sqlite) });
    }
  }
  // By itself SQLite would move the log into the database at any commit, one in the window too.
  sqlite.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;');
  // Older ones can corrupt a write-ahead log that several processes use (sqlite.org/wal.html#walresetbug).
  const [major = 0, minor = 0, patch = 0] = text(sqlite, 'SELECT sqlite_version()')
    .split('.')
    .map(Number);
  if (major * 1e6 + minor * 1e3 + patch < 3_051_003) {
    const message = 'domsnap needs SQLite 3.51.3 or newer inside Node: use Node 24.15 or newer';
    throw new HomeError(message, { holdsJournal: mayHoldRecords(sqlite) });
  }
  migrate(sqlite);
}

/** A database whose schema is there may hold an operation; one that was just made holds none. */
const mayHoldRecords = (sqlite: DatabaseSync): boolean =>
  numberOf(sqlite, 'PRAGMA user_version') > 0;

function migrate(sqlite: DatabaseSync): void {
  if (numberOf(sqlite, 'PRAGMA user_version') === MIGRATIONS.length) return;
  sqlite.exec('BEGIN IMMEDIATE');
  try {
    const from = numberOf(sqlite, 'PRAGMA user_version');
    for (const statements of MIGRATIONS.slice(from)) sqlite.exec(statements);
    sqlite.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
    sqlite.exec('COMMIT');
  } catch (error) {
    if (sqlite.isTransaction) sqlite.exec('ROLLBACK');
    throw error;
  }
}

const numberOf = (sqlite: DatabaseSync, query: string): number =>
  Number(Object.values(sqlite.prepare(query).get() ?? { value: 0 })[0]);
const text = (sqlite: DatabaseSync, query: string): string =>
  String(Object.values(sqlite.prepare(query).get() ?? { value: '' })[0]);
