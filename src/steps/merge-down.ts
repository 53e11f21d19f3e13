import { z } from 'zod';
import type { ImageDeed } from '../storages/port.ts';
import type { CallContext } from '../toolstacks/port.ts';
import { alwaysAgain, type Host, hostStep } from './host.ts';
import { DeleteInput, type PlannedMerge } from './input.ts';
import { liveMerges, PREVIEW } from './merge-up.ts';

/**
 * Write the child's data down into the victim's image, which then takes the child's place. From its
 * first byte on the victim is neither what it was nor what it will be: this only goes forward.
 */
export const mergeDown = ({ images, toolstack }: Host) =>
  hostStep({
    input: DeleteInput,
    output: z.object({}),
    probe: alwaysAgain,
    async act({ mergesDown }, context) {
      const off = (await toolstack.runState(context)) === 'off';
      // A domain that died in the middle of its job leaves the rest to the tools of its images.
      const live = off ? undefined : liveMerges('mergeDown', context.operation, mergesDown);
      if (live) await toolstack.perform(live, context);
      await commitAll(
        { images },
        mergesDown.filter(merge => off || !merge.live),
        context,
      );
      return { output: {} };
    },
    preview({ mergesDown }) {
      const live = liveMerges('mergeDown', PREVIEW, mergesDown);
      const offline = mergesDown.filter(merge => !merge.live).flatMap(commits);
      return [
        ...(live ? toolstack.preview(live) : []),
        ...offline.flatMap(deed => images.preview(deed)),
      ];
    },
  });

/**
 * Let heads whose data is all in the bases go over to them, and move the stale heads away at once. The
 * guest stands still until both are done (see `pivotMerges` of the toolstack's port).
 */
export const pivotMerges = ({ images, toolstack }: Host) => {
  const deed = (operation: string, merges: readonly PlannedMerge[]) => {
    const live = liveMerges('mergeDown', operation, merges);
    return live ? { do: 'pivotMerges' as const, merges: live.merges } : undefined;
  };
  const moved = (merges: readonly PlannedMerge[], operation: string) =>
    merges.map(({ top }) => ({ do: 'trash' as const, path: top.path, operation }));
  return hostStep({
    input: DeleteInput,
    output: z.object({}),
    probe: alwaysAgain,
    async act({ mergesDown }, context) {
      const { operation } = context;
      const off = (await toolstack.runState(context)) === 'off';
      if (off) await commitAll({ images }, mergesDown, context);
      const live = off ? undefined : deed(operation, mergesDown);
      try {
        if (live) await toolstack.perform(live, context);
      } finally {
        // Whatever failed: a head that has gone over leaves a stale image, which must not be found.
        const stale = live ? await staleTops({ toolstack }, mergesDown, context) : mergesDown;
        for (const move of moved(stale, operation)) await images.perform(move, context);
      }
      return { output: {} };
    },
    preview({ mergesDown }) {
      const live = deed(PREVIEW, mergesDown);
      return [
        ...(live ? toolstack.preview(live) : []),
        ...moved(mergesDown, PREVIEW).flatMap(move => images.preview(move)),
      ];
    },
  });
};

/** Tops that no running chain holds any more. A domain that has died has none to tell. */
async function staleTops(
  { toolstack }: Pick<Host, 'toolstack'>,
  merges: readonly PlannedMerge[],
  context: CallContext,
): Promise<readonly PlannedMerge[]> {
  const live = await toolstack.liveDisks(context);
  if (live.length === 0) return [];
  const paths = new Set(live.flatMap(({ chain }) => chain.map(({ path }) => path)));
  return merges.filter(({ top }) => !paths.has(top.path));
}

/** Merge by the tools of the images what is not merged yet: a top that lies there still is not. */
async function commitAll(
  { images }: Pick<Host, 'images'>,
  merges: readonly PlannedMerge[],
  context: CallContext,
): Promise<void> {
  for (const merge of merges) {
    if (!(await images.exists(merge.top.path))) continue;
    for (const deed of commits(merge)) await images.perform(deed, context);
  }
}

function commits({ top, base, children }: PlannedMerge): ImageDeed[] {
  if (!base) throw new Error('a merge goes down into an image');
  return [
    { do: 'commit', top, base },
    // The base now shows what the top showed: its children may stand on it by name alone.
    ...children.map(child => ({ do: 'repoint' as const, child, base })),
  ];
}
