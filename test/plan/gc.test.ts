import { describe, expect, test } from 'vitest';
import { chooseTrash, type GcLimits, type TrashNeeds } from '../../src/plan/gc.ts';
import type { TrashedFile } from '../../src/storages/trash-list.ts';

const DAY = 86_400_000;
const NOW = 100 * DAY;

const file = (name: string, ageDays: number, bytes = 10): TrashedFile => ({
  folder: '/vm/.domsnap-trash',
  operation: 'op1',
  name,
  from: `/vm/${name}`,
  at: NOW - ageDays * DAY,
  bytes,
  identity: `1:${name}`,
});

const FREE: TrashNeeds = {
  open: new Set(),
  domains: new Map([['op1', 'web1']]),
  named: new Map(),
  held: new Map(),
  silent: new Set(),
  there: new Set(),
};
const WEEK: GcLimits = { nowMs: NOW, olderThanMs: 7 * DAY, bytesMax: undefined };

const purged = (files: TrashedFile[], needs: Partial<TrashNeeds> = {}, limits = WEEK) =>
  chooseTrash(files, { ...FREE, ...needs }, limits)
    .filter(({ verdict }) => verdict === 'purge')
    .map(one => one.file.name);

describe('by age and size', () => {
  test('what is old enough goes, to the millisecond', () => {
    expect(purged([file('a', 7), file('b', 6.99)])).toEqual(['a']);
  });

  test('of too much, the oldest goes until the rest fits, however young', () => {
    const files = [file('young', 1), file('older', 3), file('between', 2)];
    expect(purged(files, {}, { ...WEEK, bytesMax: 10 })).toEqual(['older', 'between']);
    expect(purged(files, {}, { ...WEEK, bytesMax: 29 })).toEqual(['older']);
    expect(purged(files, {}, { ...WEEK, bytesMax: 30 })).toEqual([]);
  });

  test('what a clock that jumped dates in the future stays', () => {
    expect(purged([file('a', -3)])).toEqual([]);
  });
});

describe('what is needed stays, however old and however much', () => {
  const old = file('a', 99);
  const limits = { ...WEEK, bytesMax: 0 };
  test.each<[string, Partial<TrashNeeds>, string]>([
    ['of an open operation', { open: new Set(['op1']) }, 'has not come to its end'],
    ['of an operation of another home', { domains: new Map() }, 'does not know'],
    ['of a domain that does not answer', { silent: new Set(['web1']) }, 'does not say'],
    ['that a process has open', { held: new Map([['1:a', 'process 7']]) }, 'process 7'],
    [
      'that an image stands on in the trash itself',
      { named: new Map([['/vm/.domsnap-trash/op1/a', 'vda of web1 (as a base)']]) },
      'as a base',
    ],
    [
      'that a record misses where it was',
      { named: new Map([['/vm/a', 'the snapshot s1 of web1']]) },
      'where it is missing',
    ],
  ])('%s', (_, needs, says) => {
    const [verdict] = chooseTrash([old], { ...FREE, ...needs }, limits);
    expect(verdict).toMatchObject({ verdict: 'keep', why: expect.stringContaining(says) });
  });

  test('but not what has been made anew where it was', () => {
    const named = new Map([['/vm/a', 'vda of web1']]);
    expect(purged([old], { named, there: new Set(['/vm/a']) })).toEqual(['a']);
  });
});
