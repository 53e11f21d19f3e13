import { expect, test } from 'vitest';
import { SCENARIOS } from '../sim/scenarios.ts';
import { play } from '../sim/schedule.ts';
import type { Scenario } from '../sim/stage.ts';
import { complaints, judge } from '../sim/sweep.ts';

const named = (name: string) => SCENARIOS.find(scenario => scenario.name === name) as Scenario;

// Runs that went wrong once; each is cheap, and is lived through again for ever.

test('a head whose image an earlier life had moved away was recorded on it as long as another disk failed', async () => {
  const verdict = await judge(named('delete.live.standalone.external, downward'), {
    faults: [
      { kind: 'host-dies', at: 38 },
      { kind: 'host-dies', at: 50 },
      { kind: 'fails', persistent: true, at: 60 },
    ],
    seed: 1194,
  });
  expect(complaints([verdict])).toEqual([]);
});

test.each([
  [
    5,
    'an internal snapshot lost what it read through its image, when the base was merged up and away',
  ],
  [19, 'the same, and the delete was called off behind the merge'],
  [
    270,
    'a domain that should stand still after its revert ran, since its start had answered too late',
  ],
  [5482, 'what goes with its base lost that base before there was no way back'],
  [
    5856,
    'heads whose images an earlier life had moved away stayed on record as long as nobody said whether the domain runs',
  ],
  [5671, 'what was kept for an internal snapshot belonged to nobody when that went'],
])('the schedule of seed %i: %s', async seed => {
  expect((await play(seed)).wrong).toEqual([]);
});
