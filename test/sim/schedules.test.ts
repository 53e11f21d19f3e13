import { expect, test } from 'vitest';
import { play } from './schedule.ts';
import { add, emptyTally, table } from './tally.ts';

/** Schedules in one run of the tests; `npm run simulate` plays as many as one likes. */
const SCHEDULES = Number(process.env.DOMSNAP_SIM_SCHEDULES ?? 80);
const FIRST_SEED = Number(process.env.DOMSNAP_SIM_SEED ?? 1);

test('random schedules of two domains keep all promises, whatever meets them', async () => {
  const tally = emptyTally();
  const begunMs = performance.now();
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed += 1) {
    add(tally, await play(seed));
  }
  console.log(table(tally, (performance.now() - begunMs) / 1_000));
  expect(Object.fromEntries(tally.wrong)).toEqual({});
  // A schedule in which nothing happens proves nothing.
  expect(tally.operations).toBeGreaterThan(10 * SCHEDULES);
  expect(tally.outcomes.size).toBeGreaterThan(20);
  expect(tally.upgraded).toBeGreaterThan(SCHEDULES);
  for (const kind of ['engine-dies', 'host-dies', 'domain-dies', 'fails', 'hangs', 'late']) {
    expect(tally.struck.get(kind), kind).toBeGreaterThan(SCHEDULES / 2);
  }
});

test('a schedule comes out the same each time: its seed is all that it takes to see it again', async () => {
  expect(await play(7)).toEqual(await play(7));
});
