import { z } from 'zod';
import { StepError } from '../engine/step.ts';
import type { Merge } from '../toolstacks/port.ts';
import { alwaysAgain, type Host, hostStep } from './host.ts';
import { type CreateDisk, CreateInput, jobName } from './input.ts';

/**
 * Take a disk snapshot back without losing a write: what the guest has written to its overlays since
 * is folded down into the bases, which nobody has published yet, and internal tags are dropped.
 */
export const undoDisks = (host: Host) =>
  hostStep({
    input: CreateInput,
    output: z.object({}),
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
  const live = await toolstack.liveDisks(context);
  const merges = external.flatMap(({ device, overlay, head }) => {
    const chain = live.find(disk => disk.device === device)?.chain ?? [];
    if (!overlay || !chain.some(({ path }) => path === overlay.path)) return [];
    const job = jobName(context.operation, device, 'fold');
    return [{ job, device, top: overlay, base: head }];
  });
  if (merges.length > 0) await foldLive(host, merges, runAfter, context);
  const tagged = internal.flatMap(({ device, tag }) => (tag ? [{ device, tag }] : []));
  if (tagged.length > 0) await toolstack.perform({ do: 'dropTags', internal: tagged }, context);
}

/**
 * Fold while the guest runs, then go over to the bases while it stands still for a moment: it must not
 * write to a base while the stale overlay still lies where a later life would take it for the truth.
 */
async function foldLive(
  { toolstack, images }: Host,
  merges: readonly Merge[],
  runAfter: string,
  context: Context,
): Promise<void> {
  await toolstack.perform({ do: 'mergeDown', merges }, context);
  await toolstack.perform({ do: 'pause' }, context);
  try {
    await toolstack.perform({ do: 'pivotMerges', merges }, context);
    for (const { top } of merges) {
      const { operation } = context;
      await images.perform({ do: 'trash', path: top.path, operation }, context);
    }
  } finally {
    if (runAfter === 'running') await toolstack.perform({ do: 'resume' }, context);
  }
}

async function undoOffline(
  { images }: Host,
  external: readonly CreateDisk[],
  internal: readonly CreateDisk[],
  context: Context,
): Promise<void> {
  for (const { overlay, head } of external) {
    if (!overlay || !(await images.exists(overlay.path))) continue;
    const { backing } = await images.view(overlay, context);
    if (backing?.path !== head.path) {
      const message = `${overlay.path} stands on ${backing?.path ?? 'nothing'}, not on ${head.path}`;
      throw new StepError('unknown', message, { retryable: false });
    }
    await images.perform({ do: 'commit', top: overlay, base: head }, context);
  }
  for (const { head, tag } of internal) {
    if (tag) await images.perform({ do: 'dropTag', image: head, tag }, context);
  }
}
