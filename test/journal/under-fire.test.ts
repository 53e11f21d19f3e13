import { expect, test } from 'vitest';
import type { Json } from '../../src/engine/json.ts';
import { memoryJournal } from '../../src/journal/memory.ts';
import { type Choose, everyRun } from '../sim/every-run.ts';
import { hostileDisk } from '../sim/hostile-disk.ts';
import { operation, record } from './samples.ts';

const APPENDS = 3;

/** One life of a journal: up to three appends, each durable or not, until one fails or the host dies. */
function life(
  choose: Choose,
  disk: ReturnType<typeof hostileDisk>,
): { readonly tried: number; readonly promised: number } {
  const journal = memoryJournal({ apply() {} }, disk);
  const from = journal.records('o1').length;
  let tried = from;
  let promised = from;
  try {
    if (from === 0) {
      tried = 1;
      journal.open(operation('o1'), record('o1', 0), [{ n: 0 }]);
      promised = 1;
    }
    const appends = choose(APPENDS + 1);
    for (let n = 0; n < appends; n += 1) {
      const durable = choose(2) === 1;
      const seq = tried;
      tried += 1;
      journal.append(record('o1', seq), { durable, status: 'open', changes: [{ n: seq }] });
      if (durable) promised = tried;
    }
  } catch (error) {
    const asked = { ...disk.asked };
    const again = () =>
      journal.append(record('o1', tried), { durable: true, status: 'open', changes: [] });
    // Never tried again, nor gone on with: neither the write nor the fsync reaches the disk.
    expect(again).toThrow(error as Error);
    expect(disk.asked).toEqual(asked);
  }
  return { tried, promised };
}

/** What the next life must find: a beginning of what was tried, with all that was promised in it. */
function mustHold(
  disk: ReturnType<typeof hostileDisk>,
  { tried, promised }: { tried: number; promised: number },
): void {
  const applied: Json[] = [];
  const journal = memoryJournal({ apply: change => void applied.push(change) }, disk);
  const found = journal.records('o1');
  const seqs = found.map(({ seq }) => seq);
  expect(seqs).toEqual(Array.from({ length: found.length }, (_, n) => n));
  expect(found.length).toBeGreaterThanOrEqual(promised);
  expect(found.length).toBeLessThanOrEqual(tried);
  // The catalog never differs from the records: one transaction covers both.
  expect(applied).toEqual(seqs.map(n => ({ n })));
  expect(journal.operation('o1') !== undefined).toBe(found.length > 0);
  expect(journal.verify().faults).toEqual([]);
}

test('whatever a disk does to three appends, a beginning with all that was promised is left of them', () => {
  const runs = everyRun(choose => {
    const disk = hostileDisk(choose);
    const lived = life(choose, disk);
    disk.crash();
    mustHold(disk, lived);
  });
  expect(runs).toBeGreaterThan(300);
});

test('what is left of an older life is never taken for the next one’s', () => {
  let appended = 0;
  everyRun(choose => {
    // The first life goes as it may up to its crash; the second has a disk that works.
    let calm = false;
    const disk = hostileDisk(n => (calm ? 0 : choose(n)));
    life(choose, disk);
    disk.crash();
    calm = true;
    const journal = memoryJournal({ apply() {} }, disk);
    const from = journal.records('o1').length;
    if (from === 0) journal.open(operation('o1'), record('o1', 0), []);
    const seq = Math.max(1, from);
    const other = { ...record('o1', seq), to: 'another way' };
    journal.append(other, { durable: true, status: 'open', changes: [] });
    appended += 1;
    disk.crash();
    const found = memoryJournal({ apply() {} }, disk).records('o1');
    expect(found.map(({ to }) => to).slice(seq)).toEqual(['another way']);
  });
  expect(appended).toBeGreaterThan(300);
});

test('a disk that says that it has synced, and has not, is noticed', () => {
  const lost = () =>
    everyRun(choose => {
      const disk = { ...hostileDisk(choose), sync() {} };
      const lived = life(choose, disk);
      disk.crash();
      mustHold(disk, lived);
    });
  expect(lost).toThrow();
});
