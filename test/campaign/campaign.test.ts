import { expect, test } from 'vitest';
import { CATALOGUE } from '../../machines/index.ts';
import { type World, worldDown, worldUp } from '../lab/cases/harness.ts';
import { INTERNAL, MIXED, OVERLAY, type Storage } from '../lab/cases/storages.ts';
import { Chance } from '../seeded-random.ts';
import { ERRANDS } from './errands.ts';
import { type Blow, type Durations, playRound, type Round } from './round.ts';
import { standstills, table, type Violation } from './tally.ts';
import { VICTIMS, type Victim } from './victims.ts';

const ROUNDS = Number(process.env.DOMSNAP_CAMPAIGN_ROUNDS ?? 12);
const SEED = Number(process.env.DOMSNAP_CAMPAIGN_SEED ?? 1);
/** A world grows slow with its trash, and its guest with its age. */
const ROUNDS_OF_A_WORLD = 40;
const MINUTES = 60_000;

const STORAGES: readonly Storage[] = [OVERLAY, INTERNAL, MIXED];

test(`${ROUNDS} kills, seed ${SEED}: whatever dies, the end is done or as before`, {
  timeout: Math.max(10, ROUNDS) * MINUTES,
}, async () => {
  const rounds: Round[] = [];
  const violations: Violation[] = [];
  const durations: Durations = new Map();
  let world: World | undefined;
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      if (round % ROUNDS_OF_A_WORLD === 0 || world === undefined) {
        await worldDown(world);
        world = await worldUp(storageOf(round));
      }
      // Each round is a matter of its own seed: one can be played again without those before it.
      const chance = new Chance(SEED * 1_000_003 + round);
      const errand = chance.of(ERRANDS);
      const blow = blowOf(chance, `${errand.case}.${world.storage.ending}`);
      const label = `${round}: ${errand.case}, ${world.storage.name}, ${told(blow)}`;
      try {
        const came = await playRound(world, errand, blow, { durations, chance, round });
        rounds.push(came);
        say(`${label} → ${came.struck ? came.outcome : `not struck, ${came.outcome}`}`);
      } catch (error) {
        const what = `${label}: ${error instanceof Error ? (error.stack ?? '') : String(error)}`;
        violations.push({ round, what });
        say(`${label} → VIOLATION ${what}`);
        await worldDown(world);
        world = undefined;
      }
    }
  } finally {
    await worldDown(world);
  }
  say(`${table(rounds)}\n${standstills(rounds)}`);
  const kills = rounds.reduce(
    (sum, { struck, recoveryKills }) => sum + Number(struck) + recoveryKills,
    0,
  );
  say(`${kills} kills in ${rounds.length} rounds, seed ${SEED}: ${violations.length} violations`);
  expect(violations.map(({ what }) => what)).toEqual([]);
  expect(kills).toBeGreaterThan(ROUNDS / 3);
});

const storageOf = (round: number): Storage =>
  STORAGES[Math.floor(round / ROUNDS_OF_A_WORLD) % STORAGES.length] as Storage;

function blowOf(chance: Chance, caseId: string): Blow {
  const victim = chance.of<Victim>(VICTIMS);
  return {
    victim,
    place: victim === 'engine at a fail point' ? placeIn(chance, caseId) : undefined,
    share: chance.next() * 1.1,
    recoveryKills: victim === 'watchdog and engine' ? Math.floor(chance.next() * 4) : 0,
  };
}

/** A named place that the case passes: around or inside one of its steps, or after a record. */
function placeIn(chance: Chance, caseId: string): string {
  const steps = CATALOGUE.get(caseId)?.steps ?? [];
  if (chance.next() < 0.2) return `record:${1 + Math.floor(chance.next() * steps.length)}`;
  return `${chance.of(steps).name}:${chance.of(['before', 'inside', 'after'])}`;
}

const told = ({ victim, place, share, recoveryKills }: Blow): string =>
  [
    victim,
    place ?? `at ${(share * 100).toFixed(0)} %`,
    ...(recoveryKills > 0 ? [`recovery killed ${recoveryKills} times`] : []),
  ].join(', ');

function say(line: string): void {
  console.log(line);
}
