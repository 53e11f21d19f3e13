import { z } from 'zod';
import { StepError } from '../../engine/step.ts';
import type { BlockJob, CallContext } from '../port.ts';
import * as commands from './commands.ts';
import type { Life } from './life.ts';
import type { Query } from './query.ts';
import { type Job, queryJobs } from './query-jobs.ts';
import { until } from './until.ts';

const blockJob = z.lazy(() => z.object({ device: z.string(), 'io-status': z.string() }));

const queryBlockJobs: Query<z.infer<typeof blockJob>[]> = {
  command: 'query-block-jobs',
  schema: z.array(blockJob),
};

/** All jobs, those that have ended and not been dismissed too. */
export async function allJobs({ monitor }: Life): Promise<Job[]> {
  const [jobs] = await monitor.ask([queryJobs]);
  return jobs;
}

/** As the port shows a job. */
export const blockJobOf = ({ id, type, status, error }: Job): BlockJob => ({
  id,
  kind: type,
  status,
  error: error ?? null,
});

/** How long a job may stand for want of space or for an input error before its merge fails. */
const STALLED_MS = 2_000;

/**
 * Waits until each of the jobs has arrived; answers them. Throws StepErrors: `no-space`, `io-error` (the job stands
 * and goes on when it is done again), `merge-failed`, `job-lost`; `aborted` if `abort` fires.
 */
export async function untilJobs(
  life: Life,
  ids: readonly string[],
  arrived: (job: Job) => boolean,
  options: Pick<CallContext, 'progress'> & {
    readonly abort: AbortSignal;
    readonly firstMs?: number;
  },
): Promise<readonly Job[]> {
  const { monitor, clock } = life;
  let stalledSinceMs: number | undefined;
  const ask = async () => {
    const [jobs, blockJobs] = await monitor.ask([queryJobs, queryBlockJobs]);
    const mine = ids.map(id => jobs.find(one => one.id === id) ?? lost(id));
    options.progress(progressOf(mine));
    const failed = mine.find(({ status, error }) => status === 'concluded' && error !== undefined);
    if (failed) throw mergeFailed(failed);
    const stalled = blockJobs.find(one => ids.includes(one.device) && one['io-status'] !== 'ok');
    stalledSinceMs = stalled ? (stalledSinceMs ?? clock.monotonicMs()) : undefined;
    if (stalled && clock.monotonicMs() - stalledSinceMs! >= STALLED_MS) {
      throw standsStill(stalled.device, stalled['io-status']);
    }
    return mine.every(arrived) ? mine : undefined;
  };
  const what = `waiting for the jobs ${ids.join(', ')}`;
  return until(life, ask, { signal: options.abort, what, firstMs: options.firstMs ?? 2 });
}

/** Let jobs that stand for an error go on. */
export async function goOn({ monitor }: Life, ids: readonly string[]): Promise<void> {
  const [blockJobs] = await monitor.ask([queryBlockJobs]);
  for (const { device, 'io-status': io } of blockJobs) {
    if (io !== 'ok' && ids.includes(device)) {
      await monitor.send([commands.jobCommand('job-resume', device)]);
    }
  }
}

/** Lets jobs that wait for it take their effect, and forgets them; those that are not there are. */
export async function conclude(
  life: Life,
  ids: readonly string[],
  options: Pick<CallContext, 'progress'>,
): Promise<void> {
  const present = (await allJobs(life)).filter(({ id }) => ids.includes(id));
  await finalize(life, present, options);
  await life.monitor.send(present.map(({ id }) => commands.jobCommand('job-dismiss', id)));
}

/** Lets jobs that wait for it take their effect; they are not forgotten. */
export async function finalize(
  life: Life,
  jobs: readonly Job[],
  options: Pick<CallContext, 'progress'>,
): Promise<void> {
  const concluded = ({ status }: Job) => status === 'concluded';
  if (jobs.every(concluded)) return;
  const pending = jobs.filter(({ status }) => status === 'pending').map(({ id }) => id);
  await life.monitor.send(pending.map(id => commands.jobCommand('job-finalize', id)));
  // From here on nothing is called off: it is a matter of milliseconds.
  const abort = new AbortController().signal;
  const all = jobs.map(({ id }) => id);
  await untilJobs(life, all, concluded, { ...options, abort, firstMs: 1 });
}

/** Call jobs off and forget them; those that have taken their effect are only forgotten. */
export async function cancelJobs(
  life: Life,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<{ cancelled: string[]; finished: string[] }> {
  const present = (await allJobs(life)).filter(({ id }) => ids.includes(id));
  const finished = present.filter(one => one.status === 'concluded' && one.error === undefined);
  for (const { id, status } of present) {
    if (status === 'concluded' || status === 'aborting') continue;
    // It may have ended since it was asked for.
    await life.monitor.try([commands.jobCommand('job-cancel', id)]);
  }
  const all = present.map(({ id }) => id);
  const ask = async () => {
    const left = (await allJobs(life)).filter(one => all.includes(one.id));
    return left.every(({ status }) => status === 'concluded') ? left : undefined;
  };
  const what = 'calling block jobs off';
  const left = await until(life, ask, { signal, what, withinMs: 30_000 });
  await life.monitor.send(left.map(({ id }) => commands.jobCommand('job-dismiss', id)));
  const done = finished.map(({ id }) => id);
  return { cancelled: all.filter(id => !done.includes(id)), finished: done };
}

function progressOf(jobs: readonly Job[]) {
  const sum = (of: (job: Job) => number) => jobs.reduce((total, one) => total + of(one), 0);
  const done = sum(one => one['current-progress']);
  return { done, total: sum(one => one['total-progress']), unit: 'bytes' as const };
}

function lost(id: string): never {
  throw new StepError('job-lost', `the block job ${id} is gone: somebody else ended it`);
}

function mergeFailed({ id, error = '' }: Job): StepError {
  const noSpace = /no space left/i.test(error);
  return new StepError(noSpace ? 'no-space' : 'merge-failed', `the block job ${id}: ${error}`);
}

function standsStill(id: string, ioStatus: string): StepError {
  return ioStatus === 'nospace'
    ? new StepError('no-space', `the block job ${id} waits for space on the host's file system`)
    : new StepError('io-error', `the block job ${id} waits: an image could not be read or written`);
}
