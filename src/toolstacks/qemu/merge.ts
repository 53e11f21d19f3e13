import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import type { CallContext, DomainDeed, Merge } from '../port.ts';
import * as commands from './commands.ts';
import type { BlockView, ImageNode } from './graph.ts';
import { allJobs, cancelJobs, conclude, finalize, goOn, untilJobs } from './jobs.ts';
import { type Life, queryStatus, viewBlocks, viewForChange } from './life.ts';
import { closeStale, headOf, same } from './overlays.ts';
import { type Job, queryJobs } from './query-jobs.ts';

type Of<Name extends DomainDeed['do']> = Extract<DomainDeed, { do: Name }>;

/** Copy up into the tops; all wait at the end for each other. Called off, the jobs are too. */
export async function mergeUp(
  life: Life,
  { merges }: Of<'mergeUp'>,
  context: CallContext,
): Promise<Json> {
  const isDone = ({ chains }: BlockView, { device, top, base }: Merge) => {
    const chain = chains[device] ?? [];
    const at = indexOf(chain, top);
    const below = chain[at + 1];
    return at >= 0 && (base ? !!below && same(below.volume.path, base.path) : !below);
  };
  const ids = await begin(life, merges, isDone, commands.stream);
  try {
    await untilJobs(life, ids, ended, { progress: context.progress, abort: context.signal });
  } catch (error) {
    if (context.signal.aborted) await cancelJobs(life, ids, new AbortController().signal);
    throw error;
  }
  await finish(life, merges, context);
  return { merged: ids.length };
}

/**
 * Write tops down into bases. Those within a chain are merged whole; heads only until they and their
 * bases hold the same. Called off, the jobs go on: a base that was begun must be finished.
 */
export async function mergeDown(
  life: Life,
  { merges }: Of<'mergeDown'>,
  context: CallContext,
): Promise<Json> {
  const ids = await begin(life, merges, hasMoved, commands.commit);
  const arrived = (job: Job) => job.status === 'ready' || ended(job);
  await untilJobs(life, ids, arrived, { progress: context.progress, abort: context.signal });
  const ready = new Set(await readyAmong(life, ids));
  await finish(
    life,
    merges.filter(({ job }) => !ready.has(job)),
    context,
  );
  return { merged: ids.length - ready.size, ready: ready.size };
}

/**
 * Let the heads among the tops go over to their bases, all together. The guest waits for this: what can
 * be done afterwards is left to `closeMerges`.
 */
export async function pivotMerges(
  life: Life,
  { merges }: Of<'pivotMerges'>,
  { progress }: CallContext,
): Promise<Json> {
  const [{ running }, all] = await life.monitor.ask([queryStatus, queryJobs]);
  const jobs = all.filter(({ id }) => merges.some(({ job }) => job === id));
  const ready = jobs.filter(({ status }) => status === 'ready');
  // A head whose job is ready has not gone over: then the chains are as they were seen last.
  const seen = ready.length === merges.length ? life.seen : undefined;
  const view = seen ?? (await viewBlocks(life));
  checkReady(view, merges, jobs);
  if (ready.length > 0 && running) {
    throw new StepError('not-paused', 'a head goes over only while the guest stands still');
  }
  life.seen = undefined;
  await life.monitor.send(ready.map(({ id }) => commands.jobCommand('job-complete', id)));
  // The guest stands still: from here on nothing is called off.
  const abort = new AbortController().signal;
  const ids = jobs.map(({ id }) => id);
  const done = await untilJobs(life, ids, ended, { progress, abort, firstMs: 1 });
  await finalize(life, done, { progress });
  // The heads had been flushed by their jobs; what going over has written to the bases is flushed here.
  await flush(life, basesOf(view, merges));
  return { pivoted: ids.length };
}

/** Throws StepError `not-ready` where a head has not gone over, and cannot yet. */
function checkReady(view: BlockView, merges: readonly Merge[], jobs: readonly Job[]): void {
  const unready = merges.find(
    one => !hasMoved(view, one) && !jobs.some(({ id }) => id === one.job),
  );
  if (unready) {
    const message = `${unready.top.path} is still the head of ${unready.device}, and no job merges it`;
    throw new StepError('not-ready', message, { retryable: false });
  }
  const early = jobs.find(({ status }) => !LATE.has(status));
  if (early) {
    throw new StepError('not-ready', `the block job ${early.id} is ${early.status}, not ready`);
  }
}

const basesOf = ({ chains }: BlockView, merges: readonly Merge[]): string[] =>
  merges.flatMap(({ device, base }) => {
    const chain = chains[device] ?? [];
    return base ? (chain[indexOf(chain, base)]?.name ?? []) : [];
  });

/** Forget the jobs of heads that have gone over, and close the images that they left. */
export async function closeMerges(
  life: Life,
  { merges }: Of<'closeMerges'>,
  context: CallContext,
): Promise<Json> {
  const ids = merges.map(({ job }) => job);
  await conclude(life, ids, context);
  const view = await viewBlocks(life);
  await flush(life, basesOf(view, merges));
  await closeStale(life, view);
  return { closed: merges.length };
}

/** Call merges off; one that had taken its effect already has left images open that nothing uses. */
export async function cancelMerges(
  life: Life,
  { jobs }: Of<'cancelMerges'>,
  { signal }: CallContext,
): Promise<Json> {
  const told = await cancelJobs(life, jobs, signal);
  await closeStale(life);
  return told;
}

/** The states of a commit from the moment on that all data is in the base. */
const LATE: ReadonlySet<string> = new Set(['ready', 'waiting', 'pending', 'concluded']);

const ended = ({ status }: Job): boolean => status === 'pending' || status === 'concluded';

/** The jobs that are to be waited for: those that an earlier life began, and those begun now. */
async function begin(
  life: Life,
  merges: readonly Merge[],
  isDone: (view: BlockView, merge: Merge) => boolean,
  command: typeof commands.stream,
): Promise<string[]> {
  const view = await viewForChange(life);
  const jobs = await allJobs(life);
  const ids: string[] = [];
  const missing: Merge[] = [];
  for (const merge of merges) {
    const job = jobs.find(({ id }) => id === merge.job);
    const failed = job?.status === 'concluded' && job.error !== undefined;
    if (failed) await life.monitor.send([commands.jobCommand('job-dismiss', merge.job)]);
    const going = job !== undefined && !failed;
    if (!going && isDone(view, merge)) continue;
    if (!going) missing.push(merge);
    ids.push(merge.job);
  }
  await life.monitor.send(missing.map(merge => command(merge, nodesOf(view, merge))));
  if (missing.length < ids.length) await goOn(life, ids);
  return ids;
}

/** All jobs are at their end: let them take effect together, and see that they did. */
async function finish(
  life: Life,
  merges: readonly Merge[],
  context: Pick<CallContext, 'progress'>,
): Promise<void> {
  if (merges.length === 0) return;
  const ids = merges.map(({ job }) => job);
  // A head that goes over has been flushed by its job, and is drained: QEMU would wait in a flush of
  // it for ever (measured on 7.2).
  const { chains } = await viewBlocks(life);
  const jobs = await allJobs(life);
  const drained = ({ job, device, top }: Merge) =>
    indexOf(chains[device] ?? [], top) === 0 &&
    jobs.some(({ id, type }) => id === job && type === 'commit');
  await flushTargets(
    life,
    merges.filter(merge => !drained(merge)),
  );
  await conclude(life, ids, context);
  await flushTargets(life, merges);
  await closeStale(life);
}

/** What the jobs have written must be in the files before a header relies on it, or a file goes. */
async function flushTargets(life: Life, merges: readonly Merge[]): Promise<void> {
  const view = await viewBlocks(life);
  const targets = merges.flatMap(({ device, top, base }) =>
    (view.chains[device] ?? []).filter(({ volume }) =>
      [top, base].some(one => one !== null && same(one.path, volume.path)),
    ),
  );
  await flush(
    life,
    targets.map(({ name }) => name),
  );
}

async function flush({ monitor }: Life, nodes: readonly string[]): Promise<void> {
  const answers = await monitor.send(nodes.map(commands.flush));
  const failed = answers.find(answer => answer !== '');
  if (failed !== undefined) throw new StepError('io-error', `a flush failed: ${String(failed)}`);
}

async function readyAmong(life: Life, ids: readonly string[]): Promise<string[]> {
  const jobs = await allJobs(life);
  return jobs
    .filter(({ id, status }) => ids.includes(id) && status === 'ready')
    .map(({ id }) => id);
}

/** Downwards: the top is out of the chain, and the base is in it. */
function hasMoved({ chains }: BlockView, { device, top, base }: Merge): boolean {
  const chain = chains[device] ?? [];
  return indexOf(chain, top) < 0 && base !== null && indexOf(chain, base) >= 0;
}

function nodesOf(view: BlockView, { device, top, base }: Merge): commands.MergeNodes {
  const chain = view.chains[device] ?? [];
  const at = indexOf(chain, top);
  const below = base ? indexOf(chain, base) : chain.length;
  if (at < 0 || below <= at) {
    const names = chain.map(({ volume }) => volume.path).join(' over ');
    const message = `${top.path} does not stand on ${base?.path ?? 'anything'}; ${device} has ${names}`;
    throw new StepError('wrong-chain', message, { retryable: false });
  }
  return {
    head: headOf(view, device).name,
    top: chain[at]!.name,
    base: chain[below]?.name ?? null,
  };
}

const indexOf = (chain: readonly ImageNode[], { path }: { path: string }): number =>
  chain.findIndex(({ volume }) => same(volume.path, path));
