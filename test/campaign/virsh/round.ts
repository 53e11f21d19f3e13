import { setTimeout as sleep } from 'node:timers/promises';
import { DOMAIN, forgetConsole, untilBooted } from '../../../src/bench/lab-guest.ts';
import { NoLibvirtError } from '../../../src/bench/libvirt.ts';
import { type Case, NAME } from './cases.ts';
import { type Ended, startCommand, type Words } from './command.ts';
import { type Fault, judge, type Promised, standing } from './judge.ts';
import { look } from './look.ts';
import type { Sight } from './sight.ts';
import { onlyToolErrors, qemuPid, type Stage, setScene } from './stage.ts';
import { killsQemu, strike, type Victim } from './victims.ts';

/** What is done in a round; all of it follows from the seed. */
export interface Blow {
  /** null: nobody is killed, to see that the case works and that the judge finds nothing then. */
  readonly victim: Victim | null;
  /** How far into the command, as a share of what it usually takes. */
  readonly share: number;
}

/** What came of a round. */
export interface Round extends Blow {
  readonly case: string;
  /** Whether the victim was there to be killed. */
  readonly struck: boolean;
  readonly ended: Ended;
  readonly standing: 'done' | 'as before';
  /** What is wrong after libvirt had its time to mend it. */
  readonly faults: readonly Fault[];
  /** What is still wrong after the same was asked again; null: there was no need. */
  readonly afterwards: readonly Fault[] | null;
}

/** How long libvirt has to mend things by itself, from when it answers again. */
const MENDING_MS = 10_000;
/** The same, where nobody was killed. */
const ENDING_MS = 3_000;
/** Between two looks. */
const APART_MS = 500;

/** Set the scene, strike, give libvirt its time, look; and where it is bad, ask for the same again. */
export async function playRound(
  stage: Stage,
  one: Case,
  blow: Blow,
  usualMs: number,
): Promise<Round> {
  const { libvirtd } = stage;
  await setScene(stage);
  await one.prepare(stage);
  const promised: Promised = {
    goal: one.goal,
    name: NAME,
    live: one.live,
    qemuKilled: killsQemu(blow.victim),
    before: await look(stage),
  };

  const command = startCommand(libvirtd, one.words(stage, NAME));
  const struck = await strikeAt(stage, command, blow, usualMs);
  const ended = await command.ended;
  await answers(stage);
  if (ended.ok) await one.tidy?.(stage);
  const { sight, early, faults } = await settled(stage, promised, MENDING_MS, struck ? 2 : 1);
  const afterwards = faults.length > 0 && struck ? await again(stage, one, promised) : null;
  return {
    ...blow,
    case: one.id,
    struck,
    ended,
    // A guest that was put back counts on, and is soon where it was.
    standing: standing(one.goal === 'revert' ? early : sight, promised, ended.ok),
    faults,
    afterwards,
  };
}

async function strikeAt(
  stage: Stage,
  command: ReturnType<typeof startCommand>,
  { victim, share }: Blow,
  usualMs: number,
): Promise<boolean> {
  if (victim === null) return false;
  await sleep(share * usualMs);
  let struck = false;
  do {
    struck = command.running() && strike(victim, command, stage);
    await sleep(1);
    // A tool lives for milliseconds: the first that is seen from now on will do.
  } while (victim === 'qemu-img' && !struck && command.running());
  return struck;
}

/**
 * Look until nothing is found so many times, or the time to mend is over. `early`: what was seen when the
 * guest could be asked first. Throws ToolError where it cannot be looked at in the end.
 */
async function settled(stage: Stage, promised: Promised, patienceMs: number, looks: number) {
  const untilMs = performance.now() + patienceMs;
  let clean = 0;
  let early: Sight | undefined;
  for (;;) {
    const over = performance.now() > untilMs;
    // What is listed may be gone a moment later, while libvirt is at work.
    const sight = await look(stage).catch(error => {
      if (over) throw error;
      onlyToolErrors(error);
    });
    if (sight) {
      if (sight.guest) early ??= sight;
      const faults = judge(sight, promised);
      clean = faults.length === 0 ? clean + 1 : 0;
      if (clean === looks || over) return { sight, early: early ?? sight, faults };
    }
    await sleep(APART_MS);
  }
}

/**
 * As tooling with sense would: a guest that is off is started, then the same once more, and a create that
 * is refused under another name.
 */
async function again(stage: Stage, one: Case, promised: Promised): Promise<readonly Fault[]> {
  const { libvirtd } = stage;
  const run = async (words: Words): Promise<boolean> => {
    const { ok } = await startCommand(libvirtd, words).ended;
    if (ok) await one.tidy?.(stage);
    return ok;
  };
  if (promised.live && qemuPid(stage) === null) await startGuest(stage);
  const words = (await one.again?.(stage)) ?? one.words(stage, NAME);
  let { name } = promised;
  if (!(await run(words)) && one.goal === 'create') {
    name = `${NAME}2`;
    await run(one.words(stage, name));
  }
  await answers(stage);
  return (await settled(stage, { ...promised, name }, ENDING_MS, 1)).faults;
}

async function startGuest({ libvirtd, lab }: Stage): Promise<void> {
  await forgetConsole(lab);
  // Where it is refused, the judge says what is wrong.
  const started = await libvirtd.virsh('start', DOMAIN).catch(onlyToolErrors);
  if (started !== undefined) await untilBooted(lab);
}

/** Have it back, if it comes: where it is not, the judge says so. */
async function answers({ libvirtd }: Stage): Promise<void> {
  await libvirtd.ensure().catch(error => {
    if (!(error instanceof NoLibvirtError)) throw error;
  });
}
