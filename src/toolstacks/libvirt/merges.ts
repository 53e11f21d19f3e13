import type { Volume } from '../../catalog/model.ts';
import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import type { BlockJob, CallContext, DomainDeed, Merge } from '../port.ts';
import * as commands from '../qemu/commands.ts';
import { type BlockView, findDevice, type ImageNode, queryBlock } from '../qemu/graph.ts';
import { blockJobOf } from '../qemu/jobs.ts';
import { queryStatus, viewBlocks, viewForChange } from '../qemu/life.ts';
import * as qemu from '../qemu/merge.ts';
import { closeStale, same } from '../qemu/overlays.ts';
import { sameProcess } from '../qemu/process.ts';
import { type Job, queryJobs } from '../qemu/query-jobs.ts';
import { until } from '../qemu/until.ts';
import type { LibvirtLife } from './life.ts';
import { areOfQemu, areStrays } from './strays.ts';

// Libvirt has one block job a disk, gives it a name of its own, and sees to its end itself. Which of them
// are domsnap's, domsnap remembers; whether one has come to its end, the chain shows.

type Of<Name extends DomainDeed['do']> = Extract<DomainDeed, { do: Name }>;

/** All jobs; those that domsnap has begun under the names that it knows them by. */
export async function jobs(life: LibvirtLife): Promise<BlockJob[]> {
  const all = await jobsByDevice(life);
  const own = ownMerges(life);
  return all.map(({ job, device }) => ({
    ...blockJobOf(job),
    id: own.find(one => one.device === device)?.job ?? job.id,
  }));
}

// One job at a time ends: QEMU 7.2 dies where two that end by themselves, as libvirt has them do, come to
// it at once (measured: two blockpulls of two disks, within ten rounds). And while one runs, what it has
// written is flushed again and again: QEMU lets its end take effect without that, and would lose what is
// still in its own memory if it died then.

/** Pull everything between a head and its new base up into the head. */
export async function mergeUp(
  life: LibvirtLife,
  { merges }: Of<'mergeUp'>,
  context: CallContext,
): Promise<Json> {
  // An earlier life's pulls go on, and before their end the images cannot be seen (`streamsAreOver`).
  await seenToItsEnd(life, merges, context, await headNodes(life, merges));
  for (const merge of merges) {
    await mergeOne(life, merge, context, { isDone: standsOn, into: merge.top }, async view => {
      if (indexOf(chainOf(view, merge), merge.top) !== 0) throw notAHead(merge);
      const base = merge.base ? ['--base', pathIn(view, merge, merge.base)] : [];
      await life.libvirt.verb('blockpull', merge.device, ...base);
    });
  }
  await closeStale(life);
  return { merged: merges.length };
}

/** Write tops down into bases; heads only until they and their bases hold the same. */
export async function mergeDown(
  life: LibvirtLife,
  deed: Of<'mergeDown'>,
  context: CallContext,
): Promise<Json> {
  const { merges } = deed;
  if (await areStrays(life, merges)) return await qemu.mergeDown(life, deed, context);
  const view = await viewBlocks(life);
  const isHead = (merge: Merge) => indexOf(chainOf(view, merge), merge.top) === 0;
  const commit = (merge: Merge, ...how: readonly string[]) => {
    return async (now: BlockView) => {
      const base = pathIn(now, merge, merge.base ?? merge.top);
      const words = [...how, '--top', pathIn(now, merge, merge.top), '--base', base];
      await life.libvirt.verb('blockcommit', merge.device, ...words);
    };
  };
  const [heads, inner] = [merges.filter(isHead), merges.filter(one => !isHead(one))];
  for (const merge of inner) {
    const goal = { isDone: hasMoved, into: merge.base ?? merge.top };
    await mergeOne(life, merge, context, goal, commit(merge));
  }
  for (const merge of heads) await begin(life, merge, hasMoved, commit(merge, '--active'));
  await untilReady(life, heads, context);
  return { merged: inner.length, ready: heads.length };
}

/** Begin a merge that is to end by itself, and see it to its end; called off, its job is too. */
async function mergeOne(
  life: LibvirtLife,
  merge: Merge,
  context: CallContext,
  { isDone, into }: { readonly isDone: IsDone; readonly into: Volume },
  start: (view: BlockView) => Promise<void>,
): Promise<void> {
  const view = await begin(life, merge, isDone, start);
  const target = chainOf(view, merge)[indexOf(chainOf(view, merge), into)]?.name;
  await seenToItsEnd(life, [merge], context, target === undefined ? [] : [target]);
  await settle(life, [merge], isDone, () => into.path);
}

/** Wait until the disks have no job any more; called off, their jobs are too. */
async function seenToItsEnd(
  life: LibvirtLife,
  merges: readonly Merge[],
  context: CallContext,
  targets: readonly string[],
): Promise<void> {
  try {
    await untilGone(life, merges, context, targets);
  } catch (error) {
    if (context.signal.aborted) await cancel(life, merges);
    throw error;
  }
}

/** The nodes that the disks write to, by a question that hurts no QEMU. */
async function headNodes(life: LibvirtLife, merges: readonly Merge[]): Promise<string[]> {
  const [blocks] = await life.monitor.ask([queryBlock]);
  return merges.flatMap(
    ({ device }) => findDevice(blocks, life.idOf(device))?.inserted?.['node-name'] ?? [],
  );
}

/** Let the heads among the tops go over to their bases. The guest waits for this. */
export async function pivotMerges(
  life: LibvirtLife,
  deed: Of<'pivotMerges'>,
  context: CallContext,
): Promise<Json> {
  const { merges } = deed;
  if (await areOfQemu(life, merges)) return await qemu.pivotMerges(life, deed, context);
  const view = await viewBlocks(life);
  const waiting = merges.filter(merge => !hasMoved(view, merge));
  const [{ running }] = await life.monitor.ask([queryStatus]);
  if (waiting.length > 0 && running) {
    throw new StepError('not-paused', 'a head goes over only while the guest stands still');
  }
  const all = await jobsByDevice(life);
  for (const merge of waiting) {
    const job = all.find(({ device }) => device === merge.device)?.job;
    if (!job || !isReady(job)) {
      const how = job ? `its job is ${job.status}, not ready` : 'no job merges it';
      const message = `${merge.top.path} is still the head of ${merge.device}, and ${how}`;
      throw new StepError('not-ready', message, { retryable: job !== undefined });
    }
  }
  life.seen = undefined;
  for (const { device } of waiting) await life.libvirt.verb('blockjob', device, '--pivot');
  // The guest stands still: from here on nothing is called off.
  await untilGone(life, waiting, { ...context, signal: new AbortController().signal });
  await settle(life, merges, hasMoved, ({ base }) => base?.path);
  return { pivoted: waiting.length };
}

/** Forget the jobs of heads that have gone over, and close what a libvirt that died had left open. */
export async function closeMerges(
  life: LibvirtLife,
  deed: Of<'closeMerges'>,
  context: CallContext,
): Promise<Json> {
  const { merges } = deed;
  if (await areOfQemu(life, merges)) return await qemu.closeMerges(life, deed, context);
  await settle(life, merges, hasMoved, ({ base }) => base?.path);
  await closeStale(life);
  return { closed: merges.length };
}

/** Call merges off; those that have come to their end are forgotten, and what they left open is closed. */
export async function cancelMerges(
  life: LibvirtLife,
  { jobs: names }: Of<'cancelMerges'>,
  context: CallContext,
): Promise<Json> {
  const own = ownMerges(life);
  const all = await jobsByDevice(life);
  const wanted = all.filter(({ job, device }) => {
    const name = own.find(one => one.device === device)?.job ?? job.id;
    return names.includes(name);
  });
  await cancel(life, wanted);
  await untilGone(life, wanted, context);
  await closeStale(life);
  forget(life, names);
  return { cancelled: wanted.map(({ job }) => job.id) };
}

/** Begin a merge that is neither done nor under way. Answers the images as they were before. */
async function begin(
  life: LibvirtLife,
  merge: Merge,
  isDone: IsDone,
  start: (view: BlockView) => Promise<void>,
): Promise<BlockView> {
  const view = await viewForChange(life);
  if (isDone(view, merge)) return view;
  const there = (await jobsByDevice(life)).some(({ device }) => device === merge.device);
  const known = ownMerges(life).some(
    ({ job, device }) => job === merge.job && device === merge.device,
  );
  if (there && known) return view;
  if (there) {
    const message = `${merge.device} has a block job that no operation of domsnap has begun`;
    throw new StepError('foreign-job', message);
  }
  remember(life, merge);
  life.seen = undefined;
  await start(view);
  return view;
}

type IsDone = (view: BlockView, merge: Merge) => boolean;

/** What was merged shows in the chains, and is in the files. Throws StepError `merge-failed`. */
async function settle(
  life: LibvirtLife,
  merges: readonly Merge[],
  isDone: IsDone,
  written: (merge: Merge) => string | undefined,
): Promise<void> {
  const view = await viewBlocks(life);
  const failed = merges.find(merge => !isDone(view, merge));
  if (failed) {
    const message = `the merge of ${failed.top.path} has ended, and changed nothing: the log of the domain's QEMU says why`;
    throw new StepError('merge-failed', message);
  }
  const nodes = merges.flatMap(merge =>
    chainOf(view, merge).flatMap(({ name, volume }) =>
      same(volume.path, written(merge) ?? '') ? [name] : [],
    ),
  );
  const answers = await life.monitor.send(nodes.map(commands.flush));
  const unwritten = answers.find(answer => answer !== '');
  if (unwritten !== undefined) {
    throw new StepError('io-error', `a flush failed: ${String(unwritten)}`);
  }
  forget(
    life,
    merges.map(({ job }) => job),
  );
}

async function untilReady(
  life: LibvirtLife,
  merges: readonly Merge[],
  { signal, progress }: CallContext,
): Promise<void> {
  if (merges.length === 0) return;
  const ask = async () => {
    const all = await jobsByDevice(life);
    const mine = merges.map(merge => {
      const job = all.find(({ device }) => device === merge.device)?.job;
      if (job) return job;
      const message = `the block job of ${merge.device} is gone before it was ready`;
      throw new StepError('merge-failed', message);
    });
    progress(progressOf(mine));
    return mine.every(isReady) || undefined;
  };
  await until(life, ask, { signal, what: 'waiting for block jobs', firstMs: 2 });
}

/** Wait until the disks have no job any more. `targets`: the nodes that are written to, and flushed. */
async function untilGone(
  life: LibvirtLife,
  merges: readonly { readonly device: string }[],
  { signal, progress }: CallContext,
  targets: readonly string[] = [],
): Promise<void> {
  if (merges.length === 0) return;
  const ask = async () => {
    const all = await jobsByDevice(life);
    const mine = all.filter(({ device }) => merges.some(one => one.device === device));
    if (mine.length === 0) return true;
    progress(progressOf(mine.map(({ job }) => job)));
    await life.monitor.try(targets.map(commands.flush));
    return undefined;
  };
  await until(life, ask, { signal, what: 'waiting for block jobs', firstMs: 2 });
}

async function cancel(
  life: LibvirtLife,
  merges: readonly { readonly device: string }[],
): Promise<void> {
  for (const { device } of merges) {
    await life.libvirt.verb('blockjob', device, '--abort').catch(error => {
      // It may have ended since it was asked for.
      if (!(error instanceof StepError) || error.code !== 'refused') throw error;
    });
  }
}

/** Jobs as QEMU has them, with the disk that each is about: libvirt names them `commit-vda-NODE`. */
async function jobsByDevice(life: LibvirtLife): Promise<{ job: Job; device: string }[]> {
  const [all] = await life.monitor.ask([queryJobs]);
  return all.map(job => ({
    job,
    device: life.devices.find(device => job.id.split('-')[1] === device) ?? '',
  }));
}

const isReady = ({ status }: Job): boolean => status === 'ready';

function ownMerges({ notes, monitor }: LibvirtLife) {
  const process = monitor.process();
  return (notes.read().merges ?? []).filter(one => sameProcess(one.process, process));
}

function remember(life: LibvirtLife, { job, device }: Merge): void {
  const process = life.monitor.process();
  const others = ownMerges(life).filter(one => one.device !== device);
  life.notes.write({ merges: [...others, { job, device, process }] });
}

function forget(life: LibvirtLife, names: readonly string[]): void {
  const left = ownMerges(life).filter(({ job }) => !names.includes(job));
  life.notes.write({ merges: left.length > 0 ? left : undefined });
}

function progressOf(all: readonly Job[]) {
  const sum = (of: (job: Job) => number) => all.reduce((total, one) => total + of(one), 0);
  const done = sum(one => one['current-progress']);
  return { done, total: sum(one => one['total-progress']), unit: 'bytes' as const };
}

const chainOf = ({ chains }: BlockView, { device }: Merge): readonly ImageNode[] =>
  chains[device] ?? [];

const indexOf = (chain: readonly ImageNode[], { path }: { path: string }): number =>
  chain.findIndex(({ volume }) => same(volume.path, path));

/** Upwards: the top stands on its new base. */
function standsOn(view: BlockView, merge: Merge): boolean {
  const chain = chainOf(view, merge);
  const at = indexOf(chain, merge.top);
  const below = chain[at + 1];
  return at >= 0 && (merge.base ? !!below && same(below.volume.path, merge.base.path) : !below);
}

/** Downwards: the top is out of the chain, and the base is in it. */
function hasMoved(view: BlockView, merge: Merge): boolean {
  const chain = chainOf(view, merge);
  return indexOf(chain, merge.top) < 0 && merge.base !== null && indexOf(chain, merge.base) >= 0;
}

/** As QEMU, and with it libvirt, writes the path of an image in the chain. */
function pathIn(view: BlockView, merge: Merge, { path }: { path: string }): string {
  const node = chainOf(view, merge)[indexOf(chainOf(view, merge), { path })];
  if (node) return node.volume.path;
  const message = `${path} is not in the chain of ${merge.device}`;
  throw new StepError('wrong-chain', message, { retryable: false });
}

const notAHead = ({ top, device }: Merge): StepError =>
  new StepError(
    'no-verb',
    `libvirt pulls data only into a head, and ${top.path} is not ${device}'s`,
    {
      retryable: false,
    },
  );
