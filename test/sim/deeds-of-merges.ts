import type { Json } from '../../src/engine/json.ts';
import { StepError } from '../../src/engine/step.ts';
import type { CallContext, DomainDeed, Merge } from '../../src/toolstacks/port.ts';
import { finalize, isActive, type SimJob } from './block-jobs.ts';
import { BLOCKS } from './image-store.ts';
import type { Life } from './life.ts';
import { headOf, running } from './sim-toolstack.ts';
import type { Process } from './world.ts';

/** Merge by jobs of the running domain: all begun, all waited for, then all ended together. */
export async function mergeLive(
  life: Life,
  { do: kind, merges }: DomainDeed & { do: 'mergeUp' | 'mergeDown' },
  context: CallContext,
): Promise<Json> {
  for (const merge of merges) {
    await begin(life, kind === 'mergeUp' ? 'stream' : 'commit', merge, context);
  }
  const jobs = () =>
    merges.flatMap(({ job }) => {
      const found = running(life).jobs.get(job);
      return found ? [found] : [];
    });
  const arrived = () => {
    const done = jobs().reduce((sum, { cursor }) => sum + cursor, 0);
    context.progress({ done, total: merges.length * BLOCKS, unit: 'items' });
    return jobs().every(({ status }) => status !== 'running');
  };
  try {
    await life.until(kind, context, arrived);
  } catch (error) {
    // A base that was begun must be finished; copying up can be called off.
    const calledOff = life.alive && context.signal.aborted && kind === 'mergeUp';
    if (calledOff) for (const { id } of jobs()) running(life).jobs.delete(id);
    throw error;
  }
  const failed = jobs().find(({ error }) => error !== null);
  if (failed) {
    for (const { id } of jobs()) running(life).jobs.delete(id);
    throw new StepError(/space/.test(failed.error ?? '') ? 'no-space' : 'job', `${failed.error}`);
  }
  for (const job of jobs()) {
    if (job.status !== 'pending') continue;
    finalize(life.world.store, running(life), job);
    await life.moment(kind, context);
  }
  for (const job of jobs()) {
    if (job.status !== 'concluded') continue;
    running(life).jobs.delete(job.id);
    await life.moment(kind, context);
  }
  return {};
}

async function begin(
  life: Life,
  kind: SimJob['kind'],
  merge: Merge,
  context: CallContext,
): Promise<void> {
  const { store } = life.world;
  const process = running(life);
  const found = process.jobs.get(merge.job);
  if (found && found.error === null) return;
  process.jobs.delete(merge.job);
  if (isMerged(life, process, kind, merge)) return;
  if (kind === 'commit' && !merge.base) throw new Error('a commit needs a base');
  if (merge.base) store.image(merge.base);
  process.jobs.set(merge.job, {
    id: merge.job,
    kind,
    merge,
    status: 'running',
    error: null,
    cursor: 0,
  });
  await life.moment(`begin ${kind}`, context);
}

/** An earlier life has done it: the chain of the running domain says so. */
function isMerged(
  { world: { store } }: Life,
  process: Process,
  kind: SimJob['kind'],
  { device, top, base }: Merge,
): boolean {
  const chain = store.chain(headOf(process, device));
  const at = chain.findIndex(({ path }) => path === top.path);
  if (kind === 'commit') return at < 0;
  if (at < 0) throw new StepError('bad-image', `${top.path} is not part of ${device}`);
  return chain[at + 1]?.path === base?.path;
}

/** Let heads go over to their bases while the guest stands still. */
export async function pivotMerges(
  life: Life,
  merges: readonly Merge[],
  context: CallContext,
): Promise<Json> {
  const process = running(life);
  const pivots = merges.filter(
    ({ device, top }) => headOf(running(life), device).path === top.path,
  );
  if (pivots.length > 0 && process.runState !== 'paused') {
    throw new StepError('not-paused', 'a head goes over only while the guest stands still');
  }
  for (const { job } of pivots) {
    if (process.jobs.get(job)?.status === 'ready') continue;
    throw new StepError('not-ready', `${job} is not ready to go over`);
  }
  for (const { job, device, base } of pivots) {
    const now = running(life);
    const found = now.jobs.get(job);
    if (!found || !base || !isActive(found, now)) throw new StepError('no-job', `${job} is gone`);
    now.heads.set(device, base);
    life.world.configured.set(device, base);
    found.status = 'concluded';
    await life.moment('pivotMerges', context);
  }
  return {};
}

/** Forget the jobs of heads that have gone over. */
export async function closeMerges(
  life: Life,
  merges: readonly Merge[],
  context: CallContext,
): Promise<Json> {
  for (const { job } of merges) {
    running(life).jobs.delete(job);
    await life.moment('closeMerges', context);
  }
  return {};
}

/** Call jobs off. What they have copied stays; a commit's base stays half overwritten. */
export async function cancelMerges(
  life: Life,
  jobs: readonly string[],
  context: CallContext,
): Promise<Json> {
  for (const job of jobs) {
    running(life).jobs.delete(job);
    await life.moment('cancelMerges', context);
  }
  return {};
}
