import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { FailureJson } from '../../src/cli/schema.ts';
import { openDatabase } from '../../src/journal/database.ts';
import { DamagedError } from '../../src/journal/home-error.ts';
import { openJournal } from '../../src/journal/open-journal.ts';
import { makeDisks, type Place, place, placeWithDomain } from '../cli/domsnap.ts';
import { operation, record } from './samples.ts';

let sound: Place;
const cleanUps: (() => void)[] = [];

beforeAll(async () => {
  sound = await placeWithDomain(clean => cleanUps.push(clean));
  await sound.run(['create', 'web1', 's1']);
  await sound.run(['create', 'web1', 's2']);
  // As a process that was killed leaves it: records in the log that are not in the database yet.
  const { journal, close } = openJournal(sound.home);
  // Closed at the end: a connection that is collected is closed, and takes its log with it.
  cleanUps.unshift(close);
  journal.open(operation('o1', 'other'), record('o1', 0), []);
  journal.append(record('o1', 1), { durable: true, status: 'rolledBack', changes: [] });
  return () => {
    for (const clean of cleanUps) clean();
  };
});

/** A copy of the home, and what is done to it. */
function damaged(by: (database: string) => void): Place {
  const here = place();
  cpSync(sound.home, here.home, { recursive: true });
  makeDisks(here);
  by(join(here.home, 'domsnap.db'));
  return here;
}

const digests = ({ home }: Place): string =>
  ['domsnap.db', 'domsnap.db-wal']
    .map(name => join(home, name))
    .map(path => [path, isFilled(path) ? digest(path) : 'none'].join(' '))
    .join('\n');
/** To read a row, SQLite lays an empty log beside the database. */
const isFilled = (path: string) => existsSync(path) && readFileSync(path).length > 0;
const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
const change = (path: string, with_: (bytes: Buffer) => void) => {
  const bytes = readFileSync(path);
  with_(bytes);
  writeFileSync(path, bytes);
};
const replace = (path: string, from: string, to: string) =>
  change(path, bytes => {
    let at = bytes.indexOf(from);
    if (at < 0) throw new Error(`${path} does not hold ${from}`);
    for (; at >= 0; at = bytes.indexOf(from)) bytes.write(to, at);
  });

const STRUCTURE: Record<string, (database: string) => void> = {
  'with zeros for a header': path => change(path, bytes => bytes.fill(0, 0, 100)),
  'that is garbage': path => change(path, bytes => bytes.fill('garbage ')),
  'cut in the middle of a page': path => truncateSync(path, 4096 * 3 + 100),
  'cut to its first page': path => truncateSync(path, 4096),
  'that was emptied': path => truncateSync(path, 0),
  'with bytes flipped in its pages': path =>
    change(path, bytes => {
      for (let page = 4096; page < bytes.length; page += 4096) bytes.fill(0xa5, page, page + 8);
    }),
  'whose log begins with garbage': path =>
    change(`${path}-wal`, bytes => bytes.fill('garbage ', 0, 32)),
};

describe('a database', () => {
  test.each(Object.entries(STRUCTURE))('%s is reported, and not written to', async (_how, by) => {
    const here = damaged(by);
    const before = digests(here);
    for (const args of [
      ['create', 'web1', 's3'],
      ['log', 'verify'],
    ]) {
      const failed = FailureJson.parse(await here.json(args));
      expect(failed).toMatchObject({ ok: false, exit: 5, error: { code: 'damaged-journal' } });
      expect(failed.error.message).toContain(join(here.home, 'domsnap.db'));
    }
    expect(digests(here)).toBe(before);
  });

  test('that is damaged is left alone by every command, and each says what is still safe to do', async () => {
    const here = damaged(STRUCTURE['with zeros for a header'] as (path: string) => void);
    const before = digests(here);
    const commands = [
      'list',
      'list web1 --tree',
      'show web1 s1',
      'revert web1 s1',
      'delete web1 s1',
      'undo web1',
      'plan create web1',
      'recover',
      'log',
      'log export',
      'domain list',
      'domain start web1',
      'domain remove web1',
      'doctor',
      'gc',
    ];
    for (const command of commands) {
      const { exit, stdout, stderr } = await here.run(command.split(' '));
      expect({ command, exit, stdout }, stderr).toEqual({ command, exit: 5, stdout: '' });
      expect(stderr).toContain(`${here.home}/domsnap.db is damaged: `);
      for (const says of ['Nothing was written', 'run on', 'qemu-img info -U', 'domain add']) {
        expect(stderr, command).toContain(says);
      }
    }
    expect(digests(here)).toBe(before);
  });

  test('of which only a copy is put back works again', async () => {
    const here = damaged(STRUCTURE['that is garbage'] as (path: string) => void);
    for (const file of ['domsnap.db', 'domsnap.db-wal']) {
      cpSync(join(sound.home, file), join(here.home, file));
    }
    expect((await here.run(['log', 'verify'])).exit).toBe(0);
  });

  test('whose log was cut is one whose host died: what is left verifies, and no more is read', () => {
    const bytes = readFileSync(join(sound.home, 'domsnap.db-wal')).length;
    const found = new Set<number>();
    for (const cut of [...Array(Math.ceil(bytes / 2_060)).keys()]
      .map(n => n * 2_060)
      .concat(bytes)) {
      const here = damaged(path => truncateSync(`${path}-wal`, cut));
      const { journal, close } = openJournal(here.home);
      expect(journal.verify().faults, `cut at ${cut}`).toEqual([]);
      found.add(journal.records('o1').length);
      close();
    }
    expect([...found].sort()).toEqual([0, 1, 2]);
  });
});

describe('a row', () => {
  const inDatabase = (by: (database: string) => void): Place => {
    const here = damaged(() => {});
    openDatabase(here.home).close();
    by(join(here.home, 'domsnap.db'));
    return here;
  };

  test('of a record that was changed is not decided by, and log verify says which it is', async () => {
    const here = inDatabase(path =>
      replace(path, '"fact":{"type":"started"', '"fact":{"type":"stOrted"'),
    );
    const before = digests(here);
    const { journal, close } = openJournal(here.home);
    const ids = journal.operations({}).map(({ id }) => id);
    expect(() => ids.map(id => journal.records(id))).toThrow(DamagedError);
    expect(() => journal.note(() => {})).toThrow(/record \d+ cannot be read/);
    close();
    const { exit, stdout } = await here.run(['log', 'verify']);
    expect(exit).toBe(5);
    expect(stdout).toMatch(/record \d+: cannot be read/);
    expect(digests(here)).toBe(before);
  });

  test('of a domain that cannot be read is reported, and nothing is written', async () => {
    const here = inDatabase(path => replace(path, '{"name":"web1"', '{"nAme":"web1"'));
    const before = digests(here);
    for (const args of [
      ['list', 'web1'],
      ['create', 'web1'],
      ['domain', 'list'],
    ]) {
      const { exit, stderr } = await here.run(args);
      expect(exit, stderr).toBe(5);
      expect(stderr).toContain('what it says of a domain cannot be read');
    }
    expect(digests(here)).toBe(before);
  });
});
