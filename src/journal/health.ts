import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { DamagedError } from './home-error.ts';

/** Up to here every page is looked at when a home is opened: 0.9 ms for each MB (measured). */
const ALL_PAGES_BYTES = 16 * 1024 * 1024;
/** In larger journals the tables that the decisions rest on; records are checked as they are read. */
const SMALL_TABLES = ['operation', 'head', 'domain', 'snapshot'];

/**
 * Look at the database of a home folder without writing to it or beside it. Throws DamagedError.
 * Returns whether it is yet to be made.
 */
export function mustBeSound(path: string): 'fresh' | 'sound' {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size;
  const logBytes = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (!bytes) {
    if (bytes === undefined && logBytes === 0) return 'fresh';
    // A first command that died before its first write leaves an empty file, and nothing beside it.
    const others = readdirSync(dirname(path)).filter(name => !name.startsWith('domsnap.db'));
    if (logBytes === 0 && others.length === 0) return 'fresh';
    throw new DamagedError(path, bytes === 0 ? 'it is empty' : 'it is gone, and its log is there');
  }
  headersMustBeWhole(path, bytes);
  if (logBytes > 0) logMustBeOne(`${path}-wal`);
  // With no log, nobody is writing, and nothing needs to be laid beside it for reading.
  const quietly = logBytes === 0 && pagesFault(path, bytes, true);
  const fault = quietly === '' ? '' : pagesFault(path, bytes, false);
  if (fault) throw new DamagedError(path, fault);
  return 'sound';
}

const MAGIC = 'SQLite format 3\0';

function headersMustBeWhole(path: string, bytes: number): void {
  const header = firstBytes(path, 100);
  if (header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    throw new DamagedError(path, 'it does not begin as a database does');
  }
  const raw = header.readUInt16BE(16);
  const pageBytes = raw === 1 ? 65_536 : raw;
  if (bytes % pageBytes !== 0) {
    throw new DamagedError(path, `its ${bytes} bytes are no whole pages of ${pageBytes}`);
  }
}

/** A log whose beginning is lost would be taken for an empty one, and all that it holds dropped in silence. */
function logMustBeOne(path: string): void {
  const header = firstBytes(path, 64 * 1024);
  if (header.length < 32) return;
  const isLog = (header.readUInt32BE(0) & 0xfffffffe) === 0x377f0682;
  // All zeros: a host that died before the first sync, when nothing in it was promised yet.
  if (isLog || header.every(byte => byte === 0)) return;
  throw new DamagedError(path, 'it does not begin as a write-ahead log does');
}

/** What SQLite finds wrong, or ''. `alone`: without regard to a log, and without making one. */
function pagesFault(path: string, bytes: number, alone: boolean): string {
  const url = pathToFileURL(path);
  if (alone) url.searchParams.set('immutable', '1');
  const sqlite = new DatabaseSync(url, { readOnly: true, timeout: 5_000 });
  try {
    const checks = bytes <= ALL_PAGES_BYTES ? [''] : SMALL_TABLES.map(table => `(${table})`);
    for (const check of checks) {
      const of = check || '(1)';
      const rows = sqlite.prepare(`PRAGMA quick_check${of}`).all() as { quick_check: string }[];
      const fault = rows.find(row => row.quick_check !== 'ok');
      if (fault) return fault.quick_check;
    }
    return '';
  } catch (error) {
    if (!isDamage(error)) throw error;
    return (error as Error).message;
  } finally {
    sqlite.close();
  }
}

function firstBytes(path: string, count: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(Math.min(count, fstatSync(file).size));
    readSync(file, buffer, 0, buffer.length, 0);
    return buffer;
  } finally {
    closeSync(file);
  }
}

const SQLITE_IOERR_SHORT_READ = 522;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** Does SQLite say that the file is not what was written? */
export function isDamage(error: unknown): boolean {
  const code = errcodeOf(error);
  return (
    code === SQLITE_IOERR_SHORT_READ ||
    (code & 0xff) === SQLITE_CORRUPT ||
    (code & 0xff) === SQLITE_NOTADB
  );
}

const SQLITE_FULL = 13;
/** The index of the log, a file in shared memory, could not be made as large as it must be. */
const SQLITE_IOERR_SHMSIZE = 4874;

/** Was there no space? What SQLite or the kernel refuses so has not been written, and may be tried again. */
export function outOfRoom(error: unknown): boolean {
  const code = errcodeOf(error);
  const { code: name } = error as { code?: unknown };
  return (
    (code & 0xff) === SQLITE_FULL ||
    code === SQLITE_IOERR_SHMSIZE ||
    name === 'ENOSPC' ||
    name === 'EDQUOT'
  );
}

/** SQLite's extended result code; 0 for what is no error of SQLite. */
export const errcodeOf = (error: unknown): number =>
  Number((error as { errcode?: unknown }).errcode ?? 0);
