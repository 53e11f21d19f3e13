import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../../src/journal/port.ts';
import { connectQmp } from '../../src/tools/qmp.ts';
import { launch } from '../lab/cases/command.ts';
import { tools } from '../lab/cases/harness.ts';
import type { Chance } from '../seeded-random.ts';
import type { CampaignWorld } from './campaign-world.ts';
import type { Errand } from './errands.ts';
import { expectSense, looksWhole } from './judge.ts';
import { begun, newest, recovered } from './recovered.ts';
import { type Laps, Stopwatch } from './stopwatch.ts';
import { strike, type Victim } from './victims.ts';

/** What came of one kill or fault. */
export interface Round {
  readonly case: string;
  /** Who was killed, or the name of the fault. */
  readonly blow: string;
  /** Whether there was something to strike. */
  readonly struck: boolean;
  /** `none`: killed before the operation began. */
  readonly outcome: Status | 'none';
  /** Why it waited for a person, after a kill; or why the command called for one, after a fault. */
  readonly attention: string | null;
  /** From the kill to a guest that runs, where it stood still; by its monitor. */
  readonly standstillMs: number | null;
  /** How often recovery was killed too. */
  readonly recoveryKills: number;
  readonly laps: Laps;
}

/** What is to be done in a round; all of it follows from the seed. */
export interface Blow {
  readonly victim: Victim;
  /** Where the engine dies by itself, of the places that this case has been seen to pass. */
  readonly place: string | undefined;
  /** How far into the operation, as a share of what it usually takes. */
  readonly share: number;
  readonly recoveryKills: number;
}

/** How long commands of a case take here; it sets the moments of the kills. */
export type Durations = Map<string, number>;

export const USUAL_MS = 400;

/** What a round knows of those before it, and its chance. */
export interface Game {
  readonly durations: Durations;
  readonly chance: Chance;
  readonly round: number;
}

/** Kill, let it be recovered from, and look at the world. Throws where an invariant does not hold. */
export async function playRound(
  world: CampaignWorld,
  errand: Errand,
  blow: Blow,
  { durations, chance, round }: Game,
): Promise<Round> {
  const watch = new Stopwatch();
  const words = await errand.prepare(world, round);
  watch.lap('stage');
  const caseId = `${errand.case}.${world.storage.ending}`;
  const before = newest(world);
  const guest = await listen(world);
  const env = blow.place ? { DOMSNAP_FAILPOINT: blow.place } : {};
  const command = launch(world, words, env);
  let struck = false;
  let atMs = Date.now();
  if (blow.victim === 'engine at a fail point') {
    struck = (await command.exited).signal === 'SIGKILL';
    atMs = Date.now();
  } else {
    await begun(world, before, command);
    const beganMs = Date.now();
    // A tool lives for milliseconds, early in most cases: the first that is seen will do.
    const share = blow.victim === 'a tool' ? blow.share / 4 : blow.share;
    await sleep(share * (durations.get(caseId) ?? USUAL_MS));
    do {
      atMs = Date.now();
      struck = command.running() && strike(blow.victim, command, world);
      await sleep(1);
    } while (blow.victim === 'a tool' && !struck && command.running());
    // Not when this is found out, but when it ended: the next blow is to come before.
    const endedMs = (await command.exited).atMs;
    if (!struck) durations.set(caseId, Math.min(endedMs - beganMs, 10_000));
  }
  await command.exited;
  if (!struck) await expectSense(words, command);
  watch.lap('command');
  const { kills: recoveryKills, attention } = await recovered(world, blow.recoveryKills, chance);
  watch.lap('recovery');
  const standstillMs = guest.standstillAfter(atMs);
  guest.close();
  await looksWhole(world, allowed(errand, blow.victim));
  watch.lap('judgement');
  const operation = newest(world);
  return {
    case: caseId,
    blow: blow.victim,
    struck,
    outcome: operation && operation.id !== before?.id ? operation.status : 'none',
    standstillMs,
    attention,
    recoveryKills,
    laps: watch.laps,
  };
}

/** How the domain may stand; one whose process was killed may be off, whatever it was before. */
function allowed({ before, after }: Errand, victim: Victim): readonly string[] {
  const off = victim === 'QEMU' || victim === 'QEMU and engine';
  return [before, after, ...(off ? ['off'] : [])];
}

/** Hear from the guest's second monitor when it stops and runs. A domain that is off has nothing to say. */
async function listen({ lab }: CampaignWorld) {
  const seen: { readonly event: string; readonly atMs: number }[] = [];
  const monitor = await connectQmp({
    path: join(lab.files.folder, 'other.sock'),
    deadlineMs: 10_000,
    onEvent({ event, timestamp }) {
      const atMs = timestamp.seconds * 1000 + timestamp.microseconds / 1000;
      if (event === 'STOP' || event === 'RESUME') seen.push({ event, atMs });
    },
    ...tools,
  }).catch(() => undefined);
  return {
    close: () => monitor?.close(),
    standstillAfter(killedMs: number): number | null {
      if (seen.filter(({ atMs }) => atMs <= killedMs).at(-1)?.event !== 'STOP') return null;
      const resumed = seen.find(({ event, atMs }) => event === 'RESUME' && atMs > killedMs);
      return resumed ? resumed.atMs - killedMs : null;
    },
  };
}
