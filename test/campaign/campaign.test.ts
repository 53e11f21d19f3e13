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
import type { Fault } from './fault.ts';
import { playFaultRound } from './fault-round.ts';
import { faultsUnder, NOT_HERE } from './faults.ts';
import { type Blow, type Durations, type Game, playRound, type Round } from './round.ts';
import { partsOfARound, standstills, table, type Violation } from './tally.ts';
import { trail } from './trail.ts';
import { VICTIMS, VICTIMS_OF_LIBVIRT, type Victim } from './victims.ts';

const SEED = Number(process.env.DOMSNAP_CAMPAIGN_SEED ?? 1);
/** The first round that is played: one that went wrong can be played alone. */
const FIRST = Number(process.env.DOMSNAP_CAMPAIGN_FIRST ?? 0);
/** How many rounds are played by which toolstack: a few by each, where nobody asks for more of one. */
const { DOMSNAP_CAMPAIGN_TOOLSTACK: ASKED = '', DOMSNAP_CAMPAIGN_ROUNDS } = process.env;
const SHORT = { qemu: 12, libvirt: 8 };
const IS_ROOT = process.getuid?.() === 0;
/** A world grows slow with its guest's age. */
const ROUNDS_OF_A_WORLD = 40;
const MINUTES = 60_000;

/** Only cases, and only victims and faults, whose names contain these. */
const { DOMSNAP_CAMPAIGN_CASE: CASE = '', DOMSNAP_CAMPAIGN_VICTIM: VICTIM = '' } = process.env;
const CAMPAIGNS = (['qemu', 'libvirt'] as const)
  .filter(toolstack => (ASKED === '' ? toolstack === 'qemu' || IS_ROOT : ASKED === toolstack))
  .map(toolstack => campaignOf(toolstack, Number(DOMSNAP_CAMPAIGN_ROUNDS ?? SHORT[toolstack])));
const CHOSEN = ERRANDS.filter(errand => errand.case.includes(CASE));

const STORAGES: readonly Storage[] = [OVERLAY, INTERNAL, MIXED];

interface Campaign {
  readonly toolstack: 'qemu' | 'libvirt';
  readonly length: number;
  /** Who can be killed. */
  readonly killed: readonly Victim[];
  readonly suffered: readonly Fault[];
  /** The others are kills. */
  readonly shareOfFaults: number;
}

function campaignOf(toolstack: Campaign['toolstack'], length: number): Campaign {
  const everybody = toolstack === 'libvirt' ? [...VICTIMS, ...VICTIMS_OF_LIBVIRT] : VICTIMS;
  const killed = everybody.filter(one => one.includes(VICTIM));
  const suffered = faultsUnder(toolstack).filter(({ name }) => name.includes(VICTIM));
  const shareOfFaults = killed.length === 0 ? 1 : suffered.length === 0 ? 0 : 0.3;
  return { toolstack, length, killed, suffered, shareOfFaults };
}

if (ASKED === '' && !IS_ROOT) test.skip('under libvirt: its libvirtd needs root', () => {});

const named = CAMPAIGNS.map(
  one => [`${one.toolstack}: ${one.length} blows, seed ${SEED}`, one] as const,
);

test.each(named)(
  '%s: whatever dies or fails, the end is done or as before',
  {
    timeout: Math.max(10, ...CAMPAIGNS.map(({ length }) => length)) * MINUTES,
  },
  async (_, campaign) => {
    const { toolstack, length, shareOfFaults } = campaign;
    const rounds: Round[] = [];
    const violations: Violation[] = [];
    const durations: Durations = new Map();
    let world: CampaignWorld | undefined;
    if (shareOfFaults > 0 && NOT_HERE.length > 0)
      say(`not on this host, for want of root: ${NOT_HERE.join(', ')}`);
    const startedMs = performance.now();
    try {
      for (let round = FIRST; round < FIRST + length; round += 1) {
        if (round % ROUNDS_OF_A_WORLD === 0 || world === undefined) {
          await campaignWorldDown(world);
          world = await campaignWorldUp(storageOf(round), toolstack);
        }
        // Each round is a matter of its own seed: one can be played again without those before it.
        const chance = new Chance(SEED * 1_000_003 + round);
        const errand = chance.of(errandsOf(round));
        const { told, play } = planned(world, errand, campaign, { durations, chance, round });
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
    const blows = tell(campaign, rounds, violations, minutes);
    expect(violations.map(({ what }) => what)).toEqual([]);
    expect(blows).toBeGreaterThan(length / 3);
  },
);

/** Print what came of them all; answers how many blows struck. */
function tell(
  { toolstack, killed, suffered }: Campaign,
  rounds: readonly Round[],
  violations: readonly Violation[],
  minutes: number,
): number {
  const faultNames = suffered.map(({ name }) => name);
  const struck = rounds.filter(one => one.struck);
  const faults = struck.filter(({ blow }) => faultNames.includes(blow)).length;
  const again = rounds.reduce((sum, { recoveryKills }) => sum + recoveryKills, 0);
  const kills = struck.length - faults + again;
  const asked = rounds.filter(({ attention }) => attention !== null).length;
  say(`${table(rounds, killed)}\n\n${table(rounds, faultNames)}\n${standstills(rounds)}`);
  say(`${partsOfARound(rounds)}; ${(rounds.length / minutes).toFixed(1)} rounds a minute`);
  say(`${asked} operations asked for a person, and were recovered`);
  const all = `${kills} kills and ${faults} faults in ${rounds.length} rounds under ${toolstack}, seed ${SEED}`;
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
  { killed, suffered, shareOfFaults }: Campaign,
  game: Game,
): { told: string; play: () => Promise<Round> } {
  // Of a chance of its own, so that the kills of a seed are what they were without faults.
  const other = new Chance(SEED * 1_000_003 + game.round + 2 ** 31);
  const faults = suffered.filter(({ suits = () => true }) => suits(errand));
  if (other.next() < shareOfFaults && faults.length > 0) {
    const blow = { fault: other.of(faults), share: other.next() };
    return {
      told: `${blow.fault.name}, at ${(blow.share * 100).toFixed(0)} %`,
      play: () => playFaultRound(world, errand, blow, { ...game, chance: other }),
    };
  }
  const blow = blowOf(game.chance, killed, errand, `${errand.case}.${world.storage.ending}`);
  return { told: told(blow), play: () => playRound(world, errand, blow, game) };
}

function blowOf(
  chance: Chance,
  killed: readonly Victim[],
  { before, after }: Errand,
  caseId: string,
): Blow {
  const isOff = before === 'off' && after === 'off';
  const victim = chance.of<Victim>(killed.filter(one => !(isOff && one === 'QEMU')));
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
