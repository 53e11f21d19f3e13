import { expect, test } from 'vitest';
import { CATALOGUE } from '../../machines/index.ts';
import { INTERNAL, MIXED, OVERLAY, type Storage } from '../lab/cases/storages.ts';
import { Chance } from '../seeded-random.ts';
import {
  type CampaignWorld,
  campaignWorldDown,
  campaignWorldUp,
  takeOutTrash,
} from './campaign-world.ts';
import { ERRANDS, type Errand } from './errands.ts';
import { playFaultRound } from './fault-round.ts';
import { faultsUnder, NOT_HERE } from './faults.ts';
import { type Blow, type Durations, type Game, playRound, type Round } from './round.ts';
import { partsOfARound, standstills, table, type Violation } from './tally.ts';
import { trail } from './trail.ts';
import { VICTIMS, VICTIMS_OF_LIBVIRT, type Victim } from './victims.ts';

const ROUNDS = Number(process.env.DOMSNAP_CAMPAIGN_ROUNDS ?? 12);
const SEED = Number(process.env.DOMSNAP_CAMPAIGN_SEED ?? 1);
/** The first round that is played: one that went wrong can be played alone. */
const FIRST = Number(process.env.DOMSNAP_CAMPAIGN_FIRST ?? 0);
const TOOLSTACK = process.env.DOMSNAP_CAMPAIGN_TOOLSTACK === 'libvirt' ? 'libvirt' : 'qemu';
/** A world grows slow with its guest's age. */
const ROUNDS_OF_A_WORLD = 40;
const MINUTES = 60_000;

/** Only cases, and only victims and faults, whose names contain these. */
const { DOMSNAP_CAMPAIGN_CASE: CASE = '', DOMSNAP_CAMPAIGN_VICTIM: VICTIM = '' } = process.env;
/** Who can be killed. */
const EVERYBODY = TOOLSTACK === 'libvirt' ? [...VICTIMS, ...VICTIMS_OF_LIBVIRT] : VICTIMS;
const KILLED: readonly Victim[] = EVERYBODY.filter(one => one.includes(VICTIM));
const SUFFERED = faultsUnder(TOOLSTACK).filter(({ name }) => name.includes(VICTIM));
/** The others are kills. */
const SHARE_OF_FAULTS = KILLED.length === 0 ? 1 : SUFFERED.length === 0 ? 0 : 0.3;
const CHOSEN = ERRANDS.filter(errand => errand.case.includes(CASE));

const STORAGES: readonly Storage[] = [OVERLAY, INTERNAL, MIXED];

test(`${ROUNDS} blows, seed ${SEED}: whatever dies or fails, the end is done or as before`, {
  timeout: Math.max(10, ROUNDS) * MINUTES,
}, async () => {
  const rounds: Round[] = [];
  const violations: Violation[] = [];
  const durations: Durations = new Map();
  let world: CampaignWorld | undefined;
  if (SHARE_OF_FAULTS > 0 && NOT_HERE.length > 0)
    say(`not on this host, for want of root: ${NOT_HERE.join(', ')}`);
  const startedMs = performance.now();
  try {
    for (let round = FIRST; round < FIRST + ROUNDS; round += 1) {
      if (round % ROUNDS_OF_A_WORLD === 0 || world === undefined) {
        await campaignWorldDown(world);
        world = await campaignWorldUp(storageOf(round), TOOLSTACK);
      }
      // Each round is a matter of its own seed: one can be played again without those before it.
      const chance = new Chance(SEED * 1_000_003 + round);
      const errand = chance.of(errandsOf(round));
      const { told, play } = planned(world, errand, { durations, chance, round });
      const label = `${round}: ${errand.case}, ${world.storage.name}, ${told}`;
      try {
        takeOutTrash(world);
        const came = await play();
        rounds.push(came);
        const asked = came.attention === null ? '' : `, asked a person: ${came.attention}`;
        say(`${label} → ${came.struck ? '' : 'not struck, '}${came.outcome}${asked}`);
      } catch (error) {
        const what = `${label}: ${error instanceof Error ? (error.stack ?? '') : String(error)}\n${trail(world)}`;
        violations.push({ round, what });
        say(`${label} → VIOLATION ${what}`);
        await campaignWorldDown(world);
        world = undefined;
      }
    }
  } finally {
    await campaignWorldDown(world);
  }
  const minutes = (performance.now() - startedMs) / MINUTES;
  const blows = tell(rounds, violations, minutes);
  expect(violations.map(({ what }) => what)).toEqual([]);
  expect(blows).toBeGreaterThan(ROUNDS / 3);
});

/** Print what came of them all; answers how many blows struck. */
function tell(rounds: readonly Round[], violations: readonly Violation[], minutes: number): number {
  const faultNames = SUFFERED.map(({ name }) => name);
  const struck = rounds.filter(one => one.struck);
  const faults = struck.filter(({ blow }) => faultNames.includes(blow)).length;
  const again = rounds.reduce((sum, { recoveryKills }) => sum + recoveryKills, 0);
  const kills = struck.length - faults + again;
  const asked = rounds.filter(({ attention }) => attention !== null).length;
  say(`${table(rounds, KILLED)}\n\n${table(rounds, faultNames)}\n${standstills(rounds)}`);
  say(`${partsOfARound(rounds)}; ${(rounds.length / minutes).toFixed(1)} rounds a minute`);
  say(`${asked} operations asked for a person, and were recovered`);
  const all = `${kills} kills and ${faults} faults in ${rounds.length} rounds, seed ${SEED}`;
  say(`${all}: ${violations.length} violations`);
  return kills + faults;
}

/** Some rounds of a running domain, then some of one that is off: a boot takes longer than a round. */
function errandsOf(round: number): readonly Errand[] {
  const { before } = new Chance(SEED * 1_000_003 - Math.floor(round / 8)).of(CHOSEN);
  return CHOSEN.filter(errand => errand.before === before);
}

const storageOf = (round: number): Storage =>
  STORAGES[Math.floor(round / ROUNDS_OF_A_WORLD) % STORAGES.length] as Storage;

/** What a round is, in words, and how it is played. */
function planned(
  world: CampaignWorld,
  errand: Errand,
  game: Game,
): { told: string; play: () => Promise<Round> } {
  // Of a chance of its own, so that the kills of a seed are what they were without faults.
  const other = new Chance(SEED * 1_000_003 + game.round + 2 ** 31);
  const faults = SUFFERED.filter(({ suits = () => true }) => suits(errand));
  if (other.next() < SHARE_OF_FAULTS && faults.length > 0) {
    const blow = { fault: other.of(faults), share: other.next() };
    return {
      told: `${blow.fault.name}, at ${(blow.share * 100).toFixed(0)} %`,
      play: () => playFaultRound(world, errand, blow, { ...game, chance: other }),
    };
  }
  const blow = blowOf(game.chance, errand, `${errand.case}.${world.storage.ending}`);
  return { told: told(blow), play: () => playRound(world, errand, blow, game) };
}

function blowOf(chance: Chance, { before, after }: Errand, caseId: string): Blow {
  const isOff = before === 'off' && after === 'off';
  const victim = chance.of<Victim>(KILLED.filter(one => !(isOff && one === 'QEMU')));
  return {
    victim,
    place: victim === 'engine at a fail point' ? placeIn(chance, caseId) : undefined,
    share: chance.next() * 1.1,
    // Whoever recovers is killed as well, up to three times: the watchdog, or the next command.
    recoveryKills: KILLS_ENGINE.has(victim) ? Math.floor(chance.next() * 4) : 0,
  };
}

const KILLS_ENGINE: ReadonlySet<Victim> = new Set<Victim>([
  'engine at a fail point',
  'engine',
  'engine and children',
  'QEMU and engine',
  'watchdog and engine',
]);

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
