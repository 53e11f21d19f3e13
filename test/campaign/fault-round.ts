import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT } from '../../src/cli/exit-codes.ts';
import type { Status } from '../../src/journal/port.ts';
import { launch, type Running } from '../lab/cases/command.ts';
import type { CampaignWorld } from './campaign-world.ts';
import type { Errand } from './errands.ts';
import type { Fault, Struck } from './fault.ts';
import { standsStill } from './faults-of-processes.ts';
import { expectSense, looksWhole } from './judge.ts';
import { begun, END_MS, newest, recovered } from './recovered.ts';
import { type Game, type Round, USUAL_MS } from './round.ts';
import { Stopwatch } from './stopwatch.ts';

/** Inject a fault, take it away, let what is left open be recovered, and look at the world. */
export async function playFaultRound(
  world: CampaignWorld,
  errand: Errand,
  { fault, share }: { fault: Fault; share: number },
  { durations, chance, round }: Game,
): Promise<Round> {
  const watch = new Stopwatch();
  const words = await errand.prepare(world, round);
  watch.lap('stage');
  const caseId = `${errand.case}.${world.storage.ending}`;
  const before = newest(world);
  const prepared = (await fault.prepare?.(world)) ?? { end: () => {} };
  const command = launch(world, words, fault.env);
  let struck: Struck | null = null;
  try {
    await begun(world, before, command);
    const beganMs = Date.now();
    if (!fault.patient) await sleep(share * (durations.get(caseId) ?? USUAL_MS));
    if (command.running())
      struck = await fault.strike({ world, errand, command, chance }, prepared);
    if (struck) {
      await Promise.race([sleep(fault.holdMs(chance)), command.exited]);
      await struck.undo();
    }
    await ended(command);
    const endedMs = (await command.exited).atMs;
    if (!struck) durations.set(caseId, Math.min(endedMs - beganMs, 10_000));
  } finally {
    await prepared.end();
  }
  if (!struck) await expectSense(words, command);
  const attention = struck && (await wasTold(world, errand, fault, command));
  watch.lap('command');
  await struck?.settle?.();
  await recovered(world, 0, chance);
  await struck?.settle?.();
  watch.lap('recovery');
  const operation = newest(world);
  const outcome = operation && operation.id !== before?.id ? operation.status : 'none';
  await expectTruth(command, outcome);
  await looksWhole(world, [outcome === 'committed' ? errand.after : errand.before]);
  watch.lap('judgement');
  return {
    case: caseId,
    blow: fault.name,
    struck: struck !== null,
    outcome,
    attention,
    standstillMs: null,
    recoveryKills: 0,
    laps: watch.laps,
  };
}

/** Throws where a command goes on for ever once nothing is in its way. */
async function ended(command: Running): Promise<void> {
  const late = sleep(END_MS, 'late', { ref: false });
  if ((await Promise.race([late, command.exited])) !== 'late') return;
  process.kill(command.pid, 'SIGKILL');
  throw new Error(`the command has not come to an end after ${END_MS} ms`);
}

/**
 * Why the command has ended with a call for a person's attention, if it has. Throws where it ended with a bug, by
 * a signal that is no part of the fault, without saying what to type next, or with a guest that stands still.
 */
async function wasTold(
  world: CampaignWorld,
  { before }: Errand,
  fault: Fault,
  { finished }: Running,
): Promise<string | null> {
  const { code, signal, stderr } = await finished;
  if (signal !== null && fault.name === 'hung engine') return null;
  const says = `exited with ${code ?? signal}: ${stderr.slice(-2_000)}`;
  const documented: readonly (number | null)[] = [
    EXIT.done,
    EXIT.refused,
    EXIT.rolledBack,
    EXIT.attention,
    EXIT.busy,
  ];
  if (!documented.includes(code)) throw new Error(`the command ${says}`);
  if (code !== EXIT.done && !stderr.includes('→')) throw new Error(`no next step: it ${says}`);
  if (before === 'running' && (await standsStill(world))) {
    throw new Error(`I1: the guest stands still after a command that ${says}`);
  }
  return code === EXIT.attention ? (/^domsnap: .*/m.exec(stderr)?.[0] ?? '') : null;
}

/** What the command has said is what the journal says. */
async function expectTruth({ finished }: Running, outcome: Status | 'none'): Promise<void> {
  const { code, stderr } = await finished;
  const meant = { [EXIT.done]: 'committed', [EXIT.rolledBack]: 'rolledBack' }[code ?? -1];
  if (meant === undefined || meant === outcome) return;
  throw new Error(`it exited with ${code}, but is ${outcome}: ${stderr.slice(-2_000)}`);
}
