import type { Images } from '../storages/port.ts';
import type { CallContext, DomainDeed } from '../toolstacks/port.ts';
import { alwaysAgain, type Host, hostStep, Nothing, PREVIEW } from './host.ts';
import { DeleteInput, jobName, type PlannedMerge } from './input.ts';

/**
 * Copy what the victims hold up into the images that need it. The victims are only read, so this can
 * be called off at any time, and begun again.
 */
export const mergeUp = ({ images, toolstack }: Host) =>
  hostStep({
    input: DeleteInput,
    output: Nothing,
    // Both tools find for themselves what is merged already.
    probe: alwaysAgain,
    async act({ mergesUp }, context) {
      const live = liveMerges('mergeUp', context.operation, mergesUp);
      if (live) await toolstack.perform(live, context);
      for (const deed of rebases(mergesUp)) await images.perform(deed, context);
      return { output: {} };
    },
    preview({ mergesUp }) {
      const live = liveMerges('mergeUp', PREVIEW, mergesUp);
      return [
        ...(live ? toolstack.preview(live) : []),
        ...rebases(mergesUp).flatMap(deed => images.preview(deed)),
      ];
    },
  });

/** Call the copying off. A child that is partly filled shows the same content as before. */
export const cancelMergeUp = ({ images, toolstack }: Host) =>
  hostStep({
    input: DeleteInput,
    output: Nothing,
    probe: alwaysAgain,
    async act({ mergesUp }, context) {
      const jobs = mergesUp
        .filter(({ live }) => live)
        .map((merge, index) => jobFor('mergeUp', context.operation, merge, index));
      for (const { top } of rebases(mergesUp)) {
        await images.perform({ do: 'dropDraft', image: top }, context);
      }
      if (jobs.length === 0) return { output: {} };
      if ((await toolstack.runState(context)) !== 'off') {
        await toolstack.perform({ do: 'cancelMerges', jobs }, context);
      } else {
        for (const merge of mergesUp) if (merge.live) await standAsBefore(images, merge, context);
      }
      return { output: {} };
    },
  });

/**
 * A job that ends by itself, as libvirt has them do, has the top name its new base before all that was copied is in
 * the file: a QEMU that dies then takes the rest along. What was not copied is where it was, so it stands on that again.
 */
async function standAsBefore(
  images: Images,
  { top, base, from }: PlannedMerge,
  context: CallContext,
): Promise<void> {
  if (!from) return;
  const { backing } = await images.view(top, context);
  if (backing?.path !== base?.path) return;
  await images.perform({ do: 'repoint', child: top, base: from, fromNothing: true }, context);
}

/** The block jobs of a set of merges, if it has any. */
export function liveMerges(
  kind: 'mergeUp' | 'mergeDown',
  operation: string,
  merges: readonly PlannedMerge[],
): (DomainDeed & { do: 'mergeUp' | 'mergeDown' }) | undefined {
  const live = merges.filter(merge => merge.live);
  if (live.length === 0) return undefined;
  return {
    do: kind,
    merges: live.map((merge, index) => ({
      job: jobFor(kind, operation, merge, index),
      device: merge.device,
      top: merge.top,
      base: merge.base,
    })),
  };
}

const jobFor = (kind: string, operation: string, { device }: PlannedMerge, index: number): string =>
  jobName(operation, device, `${kind === 'mergeUp' ? 'up' : 'down'}${index}`);

const rebases = (merges: readonly PlannedMerge[]) =>
  merges.filter(({ live }) => !live).map(({ top, base }) => ({ do: 'rebase' as const, top, base }));
