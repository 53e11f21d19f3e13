import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import type { BlockJob, CallContext, DomainDeed, Merge } from '../port.ts';
import * as commands from '../qemu/commands.ts';
import type { BlockView, ImageNode } from '../qemu/graph.ts';
import { blockJobOf, type Job, queryJobs } from '../qemu/jobs.ts';
import { queryStatus, until, viewBlocks, viewForChange } from '../qemu/life.ts';
import { same } from '../qemu/overlays.ts';
import type { LibvirtLife } from './life.ts';

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

/** Pull everything between a head and its new base up into the head. */
export async function mergeUp(
  life: LibvirtLife,
  { merges }: Of<'mergeUp'>,
  context: CallContext,
): Promise<Json> {
  const isDone = (view: BlockView, merge: Merge) => standsOn(view, merge);
  const pull = async (merge: Merge, view: BlockView) => {
    if (indexOf(chainOf(view, merge), merge.top) !== 0) throw notAHead(merge);
    const base = merge.base ? ['--base', pathIn(view, merge, merge.base)] : [];
    await life.libvirt.verb('blockpull', merge.device, ...base);
  };
  let merged = 0;
  try {
    // An earlier life's goes on, and before its end the images cannot be seen.
    await untilGone(life, merges, context);
    // One after the other: at the end of each libvirt asks QEMU for its images, which it does not outlive
    // while another has come to its end too (see `streamsAreOver`).
    for (const merge of merges) {
      const begun = await begin(life, [merge], isDone, pull);
      await untilGone(life, begun, context);
      merged += begun.length;
    }
  } catch (error) {
    if (context.signal.aborted) await cancel(life, merges);
    throw error;
  }
  await settle(life, merges, isDone, ({ top }) => top.path);
  return { merged };
}

/** Write tops down into bases; heads only until they and their bases hold the same. */
export async function mergeDown(
  life: LibvirtLife,
  { merges }: Of<'mergeDown'>,
  context: CallContext,
): Promise<Json> {
  const heads = new Set<string>();
  const view = await viewBlocks(life);
  for (const merge of merges) {
    if (indexOf(chainOf(view, merge), merge.top) === 0) heads.add(merge.job);
  }
  const begun = await begin(life, merges, hasMoved, async (merge, now) => {
    const active = heads.has(merge.job) ? ['--active'] : [];
    const [top, base] = [merge.top, merge.base ?? merge.top].map(one => pathIn(now, merge, one));
    const words = [...active, '--top', top!, '--base', base!];
    await life.libvirt.verb('blockcommit', merge.device, ...words);
  });
  const inner = merges.filter(({ job }) => !heads.has(job));
  await untilReady(
    life,
    begun.filter(({ job }) => heads.has(job)),
    context,
  );
  await untilGone(
    life,
    begun.filter(({ job }) => !heads.has(job)),
    context,
  );
  await settle(life, inner, hasMoved, ({ base }) => base?.path);
  return { merged: inner.length, ready: heads.size };
}

/** Let the heads among the tops go over to their bases. The guest waits for this. */
export async function pivotMerges(
  life: LibvirtLife,
  { merges }: Of<'pivotMerges'>,
  context: CallContext,
): Promise<Json> {
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

/** Forget the jobs of heads that have gone over; libvirt has closed the images that they left. */
export async function closeMerges(life: LibvirtLife, { merges }: Of<'closeMerges'>): Promise<Json> {
  await settle(life, merges, hasMoved, ({ base }) => base?.path);
  return { closed: merges.length };
}

/** Call merges off; those that have come to their end are only forgotten. */
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
  forget(life, names);
  return { cancelled: wanted.map(({ job }) => job.id) };
}

/** Begin those merges that are neither done nor under way; answers the disks of all that are not done. */
async function begin(
  life: LibvirtLife,
  merges: readonly Merge[],
  isDone: (view: BlockView, merge: Merge) => boolean,
  start: (merge: Merge, view: BlockView) => Promise<void>,
): Promise<Merge[]> {
  const view = await viewForChange(life);
  const all = await jobsByDevice(life);
  const own = ownMerges(life);
  const open = merges.filter(merge => !isDone(view, merge));
  for (const merge of open) {
    const there = all.some(({ device }) => device === merge.device);
    const known = own.some(({ job, device }) => job === merge.job && device === merge.device);
    if (there && known) continue;
    if (there) {
      const message = `${merge.device} has a block job that no operation of domsnap has begun`;
      throw new StepError('foreign-job', message);
    }
    remember(life, merge);
    life.seen = undefined;
    await start(merge, view);
  }
  return open;
}

/** What was merged shows in the chains, and is in the files. Throws StepError `merge-failed`. */
async function settle(
  life: LibvirtLife,
  merges: readonly Merge[],
  isDone: (view: BlockView, merge: Merge) => boolean,
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

async function untilGone(
  life: LibvirtLife,
  merges: readonly { readonly device: string }[],
  { signal, progress }: CallContext,
): Promise<void> {
  if (merges.length === 0) return;
  const ask = async () => {
    const all = await jobsByDevice(life);
    const mine = all.filter(({ device }) => merges.some(one => one.device === device));
    if (mine.length === 0) return true;
    progress(progressOf(mine.map(({ job }) => job)));
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
  return (notes.read().merges ?? []).filter(
    one => one.process?.pid === process?.pid && one.process?.startTicks === process?.startTicks,
  );
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
