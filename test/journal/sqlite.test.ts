import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import type { Json } from '../../src/engine/json.ts';
import { openDatabase } from '../../src/journal/database.ts';
import { HomeError } from '../../src/journal/home-error.ts';
import { sqliteLocks } from '../../src/journal/lock.ts';
import { openJournal } from '../../src/journal/open-journal.ts';
import { journalConformance } from './conformance.ts';
import { operation, record } from './samples.ts';

const folders: string[] = [];
const folder = () => {
  const made = mkdtempSync(join(tmpdir(), 'domsnap-journal-'));
  folders.push(made);
  return made;
};
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
});

journalConformance('sqlite', () => {
  const applied: Json[] = [];
  const home = folder();
  const { journal, close } = openJournal(home, { apply: change => void applied.push(change) });
  return { journal, applied, close };
});

const written = () => {
  const home = folder();
  const { journal, close } = openJournal(home);
  journal.open(operation('o1'), record('o1', 0), []);
  for (let seq = 1; seq <= 4; seq += 1) {
    journal.append(record('o1', seq), { durable: true, status: 'open', changes: [] });
  }
  close();
  return home;
};
const tamper = (home: string, sql: string) => {
  const raw = new DatabaseSync(join(home, 'domsnap.db'));
  raw.exec('PRAGMA foreign_keys = OFF');
  raw.exec(sql);
  raw.close();
  const { journal, close } = openJournal(home);
  const { faults } = journal.verify();
  close();
  return faults.map(({ position, what }) => `${position}: ${what}`).join('\n');
};

test('the log goes into the database when an operation ends, and never while one is open', () => {
  const home = folder();
  const { journal, close } = openJournal(home);
  const bytesOf = (name: string) => statSync(join(home, name)).size;
  journal.open(operation('o1'), record('o1', 0), []);
  const before = bytesOf('domsnap.db');
  let seq = 0;
  const append = (status: 'open' | 'committed') => {
    seq += 1;
    journal.append(record('o1', seq), { durable: false, status, changes: [] });
  };
  // SQLite's own limit is 1000 pages of 4 KiB.
  while (bytesOf('domsnap.db-wal') < 5 * 1024 * 1024) append('open');
  expect(bytesOf('domsnap.db')).toBe(before);
  append('committed');
  expect(bytesOf('domsnap.db')).toBeGreaterThan(before);
  expect(journal.verify().faults).toEqual([]);
  close();
});

test('an untouched journal verifies after it was closed and opened', () => {
  expect(tamper(written(), 'SELECT 1')).toBe('');
});

test.each([
  [
    'a changed fact',
    `UPDATE record SET body = replace(body, '"n":2', '"n":9') WHERE seq = 2`,
    /^3: was changed/,
  ],
  ['a changed time', 'UPDATE record SET at = at + 1 WHERE seq = 1', /^2: was changed/],
  ['a record that is missing in the middle', 'DELETE FROM record WHERE seq = 2', /gap/],
  ['records cut off at the end', 'DELETE FROM record WHERE seq >= 3', /cut off/],
  [
    'two records that changed places',
    `UPDATE record SET position = 99, seq = 99 WHERE seq = 2;
     UPDATE record SET position = 3, seq = 2 WHERE seq = 3;
     UPDATE record SET position = 4, seq = 3 WHERE seq = 99;`,
    /was changed|does not follow/,
  ],
])('log verify finds %s', (_what, sql, expected) => {
  expect(tamper(written(), sql)).toMatch(expected);
});

test('a relaxed record costs no sync, and the next durable one brings it along', () => {
  const home = folder();
  const { journal, close } = openJournal(home);
  journal.open(operation('o1'), record('o1', 0), []);
  const append = (seq: number, durable: boolean) => {
    const before = process.hrtime.bigint();
    journal.append(record('o1', seq), { durable, status: 'open', changes: [] });
    return Number(process.hrtime.bigint() - before) / 1e6;
  };
  const relaxed: number[] = [];
  for (let seq = 1; seq <= 20; seq += 1) relaxed.push(append(seq, false));
  append(21, true);
  expect(journal.records('o1')).toHaveLength(22);
  expect(relaxed.sort((a, b) => a - b)[10]).toBeLessThan(5);
  close();
});

test('a database of a newer domsnap is refused and not changed', () => {
  const home = written();
  const raw = new DatabaseSync(join(home, 'domsnap.db'));
  raw.exec('PRAGMA user_version = 99');
  raw.close();
  const before = readFileSync(join(home, 'domsnap.db'));
  expect(() => openDatabase(home)).toThrow(HomeError);
  expect(() => openDatabase(home)).toThrow(/newer domsnap \(schema 99/);
  expect(readFileSync(join(home, 'domsnap.db')).equals(before)).toBe(true);
});

test('a home that is a file, or no database, is refused by name', () => {
  const home = join(folder(), 'home');
  writeFileSync(home, 'not a folder');
  expect(() => openDatabase(home)).toThrow(/home folder .*cannot be used/);
  const other = folder();
  writeFileSync(
    join(other, 'domsnap.db'),
    'this is not a database, but it is long enough'.repeat(40),
  );
  expect(() => openDatabase(other)).toThrow(HomeError);
});

test('the database, the locks and their folders are for their owner only', () => {
  const home = join(folder(), 'new');
  const { locks, close } = openJournal(home);
  locks.tryAcquire('web1')?.release();
  close();
  const [lock = ''] = readdirSync(join(home, 'locks'));
  const modeOf = (...path: string[]) => statSync(join(home, ...path)).mode & 0o777;
  expect([modeOf(), modeOf('locks')]).toEqual([0o700, 0o700]);
  expect([modeOf('domsnap.db'), modeOf('locks', lock)]).toEqual([0o600, 0o600]);
  chmodSync(home, 0o700);
});

test('a lock is one process’s at a time, and free once it is let go', () => {
  const home = folder();
  const locks = sqliteLocks(home);
  const lock = locks.tryAcquire('web1');
  expect(lock).toBeDefined();
  expect(locks.tryAcquire('web1')).toBeUndefined();
  expect(locks.tryAcquire('web2')).toBeDefined();
  lock?.release();
  expect(locks.tryAcquire('web1')).toBeDefined();
});
