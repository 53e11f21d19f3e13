import { setTimeout as sleep } from 'node:timers/promises';
import { planRequest, type RunOptions, runRequest } from '../operations/run-request.ts';
import type { Request } from '../plan/request.ts';
import { adopt } from './adopt.ts';
import { domsnapCommand } from './command.ts';
import type { Guest } from './domsnap-guest.ts';
import { runFloor } from './floor.ts';
import { DOMAIN } from './lab-guest.ts';
import type { Stillness } from './stillness.ts';

/** One operation, measured. */
export interface Sample {
  /** How long the guest stood still; null where nobody watched. */
  readonly pauseMs: number | null;
  /** From the first look at the world to the end; the process start aside. */
  readonly wallMs: number;
  /** The whole command, where it was one. */
  readonly commandMs: number | null;
  readonly stepsMs: Readonly<Record<string, number>>;
  /** The memory file, of a create with memory. */
  readonly memoryBytes: number | null;
}

/** What is asked for, in the words of the library and of the command line. */
export interface Errand {
  readonly request: Request;
  readonly args: readonly string[];
}

/** Who can be sent on an errand. */
export type Contender = (guest: Guest, watch: Stillness | null, errand: Errand) => Promise<Sample>;

/** What was written before must not be waited for by whoever comes next. */
const SETTLE_MS = 150;

/** domsnap, as its users have it: by a command in a process of its own. */
export const byDomsnap: Contender = async ({ session }, watch, { args, request }) => {
  await sleep(SETTLE_MS);
  const { value, pause } = await watched(watch, () => domsnapCommand(session.home, args));
  const snapshot = session.catalog.snapshot(DOMAIN, request.name ?? '');
  return {
    pauseMs: pause,
    wallMs: value.operationMs,
    commandMs: value.commandMs,
    stepsMs: value.stepsMs,
    memoryBytes: snapshot?.memory?.bytes ?? null,
  };
};

/** domsnap, in a process that has run operations before: its start, and the loading of code, aside. */
export const byLibrary: Contender = async ({ session }, watch, { request }) => {
  await sleep(SETTLE_MS);
  const stepsMs: Record<string, number> = {};
  let lastMs = 0;
  const observer: NonNullable<RunOptions['observer']> = {
    recorded({ from }, _decision, atMs) {
      if (from !== '') stepsMs[from] = atMs - lastMs;
      lastMs = atMs;
    },
  };
  const { value, pause } = await watched(watch, async () => {
    const startedMs = performance.now();
    const report = await runRequest(session, request, { observer });
    return { report, wallMs: performance.now() - startedMs };
  });
  const { report, wallMs } = value;
  if (report.outcome !== 'committed') throw new Error(JSON.stringify(report.failures));
  const snapshot = session.catalog.snapshot(DOMAIN, request.name ?? '');
  const memoryBytes = snapshot?.memory?.bytes ?? null;
  return { pauseMs: pause, wallMs, commandMs: null, stepsMs, memoryBytes };
};

/** The same commands, by the bare client. The plan is asked for before the clock runs. */
export const byFloor: Contender = async ({ session, lab, notes }, watch, { request }) => {
  const { plan, steps } = await planRequest(session, request);
  if (plan.refusals.length > 0) throw new Error(JSON.stringify(plan.refusals));
  const world = {
    monitor: lab.files.monitorSocket,
    agent: lab.files.agentSocket,
    pidFile: notes.path('pid'),
    logFile: notes.path('log'),
  };
  await sleep(SETTLE_MS);
  const { value, pause } = await watched(watch, () => runFloor(plan, steps, world));
  adopt(session, plan, value);
  return {
    pauseMs: pause,
    wallMs: value.wallMs,
    commandMs: null,
    stepsMs: value.stepsMs,
    memoryBytes: value.memory?.bytes ?? null,
  };
};

/** Everyone who is measured. */
export const CONTENDERS = { domsnap: byDomsnap, library: byLibrary, floor: byFloor } as const;
export type Who = keyof typeof CONTENDERS;
const ALL = Object.keys(CONTENDERS) as readonly Who[];

/** Who goes first changes from round to round. */
export const orderOf = (round: number): readonly Who[] =>
  ALL.map((_, index) => ALL[(index + round) % ALL.length] as Who);

async function watched<T>(
  watch: Stillness | null,
  body: () => Promise<T>,
): Promise<{ value: T; pause: number | null }> {
  if (!watch) return { value: await body(), pause: null };
  const { value, pause } = await watch.within(body);
  return { value, pause: pause.totalMs };
}
