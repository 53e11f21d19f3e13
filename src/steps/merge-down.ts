import type { EffectContext } from '../engine/step.ts';
import type { ImageDeed } from '../storages/port.ts';
import type { CallContext } from '../toolstacks/port.ts';
import { alwaysAgain, type Host, hostStep, Nothing, PREVIEW } from './host.ts';
import { DeleteInput, headMerges, type PlannedMerge } from './input.ts';
import { liveMerges } from './merge-up.ts';
import { together } from './together.ts';

/**
 * Write the child's data down into the victim's image, which then takes the child's place. From its
 * first byte on the victim is neither what it was nor what it will be: this only goes forward.
 */
export const mergeDown = ({ images, toolstack }: Host) =>
  hostStep({
    input: DeleteInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(input, context) {
      const { mergesDown } = input;
      const off = (await toolstack.runState(context)) === 'off';
      // A domain that died in the middle of its job leaves the rest to the tools of its images.
      const live = off ? undefined : liveMerges('mergeDown', context.operation, mergesDown);
      await together([
        ...(live ? [toolstack.perform(live, context)] : []),
        prepareRetirement(images, input, context),
      ]);
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

/** The heads that will be stale go to the trash while the guest stands still: it must not wait long. */
async function prepareRetirement(
  images: Host['images'],
  input: DeleteInput,
  context: EffectContext,
): Promise<void> {
  const { operation } = context;
  for (const { top } of headMerges(input)) {
    await images.perform({ do: 'prepareTrash', path: top.path, operation }, context);
  }
}

/** Merge by the tools of the images what is not merged yet: a top that lies there still is not. */
export async function commitAll(
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
