import { StepError } from '../engine/step.ts';
import type { Merge } from '../toolstacks/port.ts';
import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { type CreateDisk, CreateInput, jobName } from './input.ts';
import { keptByManager } from './snapshot-disks.ts';

/**
 * Take a disk snapshot back without losing a write: what the guest has written to its overlays since
 * is folded down into the bases, which nobody has published yet, and internal tags are dropped.
 */
export const undoDisks = (host: Host) =>
  hostStep({
    input: CreateInput,
    output: Nothing,
    // Folding a fold that is done finds nothing to fold.
    probe: alwaysAgain,
    async act({ disks, runAfter }, context) {
      const off = (await host.toolstack.runState(context)) === 'off';
      const external = disks.filter(({ overlay }) => overlay !== undefined);
      const internal = disks.filter(({ tag }) => tag !== undefined);
      if (off) await undoOffline(host, external, internal, context);
      else await undoLive(host, external, internal, runAfter, context);
      return { output: {} };
    },
  });

type Context = Parameters<Host['toolstack']['perform']>[1] & { readonly operation: string };

async function undoLive(
  host: Host,
  external: readonly CreateDisk[],
  internal: readonly CreateDisk[],
  runAfter: string,
  context: Context,
): Promise<void> {
  const { toolstack } = host;
  try {
    const merges = await foldsOf(host, external, context);
    if (merges.length > 0) {
      await toolstack.perform({ do: 'mergeDown', merges }, context);
      await toolstack.perform({ do: 'pause' }, context);
      await toolstack.perform({ do: 'pivotMerges', merges }, context);
      await toolstack.perform({ do: 'closeMerges', merges }, context);
    }
  } finally {
    // In this order, also after a failure: a guest that runs on a base while its stale overlay still
    // lies there would lose its writes if it died, for a later life would take the overlay for the truth.
    await retireStale(host, external, context);
    await letRun(host, runAfter, context);
  }
  const inImages = internal.filter(disk => !keptByManager(disk));
  const tagged = inImages.flatMap(({ device, tag }) => (tag ? [{ device, tag }] : []));
  if (tagged.length > 0) await toolstack.perform({ do: 'dropTags', internal: tagged }, context);
  await dropTags(host, internal.filter(keptByManager), context);
}

/** Overlays that the running domain writes to, or whose fold an earlier life has begun. */
async function foldsOf(
  { toolstack }: Host,
  external: readonly CreateDisk[],
  context: Context,
): Promise<Merge[]> {
  const paths = await liveDiskPaths(toolstack, external, context);
  const jobs = new Set((await toolstack.jobs(context)).map(({ id }) => id));
  return external.flatMap(({ device, overlay, head }) => {
    const job = jobName(context.operation, device, 'fold');
    if (!overlay || !(paths.has(overlay.path) || jobs.has(job))) return [];
    return [{ job, device, top: overlay, base: head }];
  });
}

async function retireStale(
  { toolstack, images }: Host,
  external: readonly CreateDisk[],
  context: Context,
): Promise<void> {
  const paths = await liveDiskPaths(toolstack, external, context);
  for (const { overlay } of external) {
    if (!overlay || paths.has(overlay.path) || !(await images.exists(overlay.path))) continue;
    const { operation } = context;
    await images.perform({ do: 'trash', path: overlay.path, operation }, context);
  }
}

async function letRun({ toolstack }: Host, runAfter: string, context: Context): Promise<void> {
  const state = await toolstack.runState(context);
  if (state === 'off' || state === runAfter) return;
  await toolstack.perform({ do: runAfter === 'paused' ? 'pause' : 'resume' }, context);
}

/**
 * All images of the running chains. A disk that is not among them means a domain that has died since
 * it was asked: that says nothing about the disk, and the next try looks at the images instead.
 */
async function liveDiskPaths(
  toolstack: Host['toolstack'],
  external: readonly CreateDisk[],
  context: Context,
): Promise<ReadonlySet<string>> {
  const live = await toolstack.liveDisks(context);
  const missing = external.find(({ device }) => !live.some(disk => disk.device === device));
  if (missing) throw new StepError('off', `the domain died, and ${missing.device} with it`);
  return new Set(live.flatMap(({ chain }) => chain.map(({ path }) => path)));
}

async function undoOffline(
  host: Host,
  external: readonly CreateDisk[],
  internal: readonly CreateDisk[],
  context: Context,
): Promise<void> {
  const { images } = host;
  for (const { overlay, head } of external) {
    if (!overlay || !(await images.exists(overlay.path))) continue;
    const { backing } = await images.view(overlay, context);
    if (backing?.path !== head.path) {
      const message = `${overlay.path} stands on ${backing?.path ?? 'nothing'}, not on ${head.path}`;
      throw new StepError('unknown', message, { retryable: false });
    }
    await images.perform({ do: 'commit', top: overlay, base: head }, context);
  }
  await dropTags(host, internal, context);
}

async function dropTags(
  { images }: Host,
  disks: readonly CreateDisk[],
  context: Context,
): Promise<void> {
  for (const { head, tag } of disks) {
    if (tag) await images.perform({ do: 'dropTag', image: head, tag }, context);
  }
}
