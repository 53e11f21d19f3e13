import type { ImageDeed } from '../storages/port.ts';
import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { type RevertDisk, RevertInput } from './input.ts';

/** Make the new heads, while the domain still runs on its old ones. The snapshot stays as it is. */
export const prepareHeads = ({ images }: Host) =>
  hostStep({
    input: RevertInput,
    output: Nothing,
    probe: alwaysAgain,
    async act({ disks }, context) {
      for (const deed of newHeads(disks)) await images.perform(deed, context);
      return { output: {} };
    },
    preview: ({ disks }) => newHeads(disks).flatMap(deed => images.preview(deed)),
  });

/** Move new heads that no domain has started on to the trash. */
export const discardHeads = ({ images, toolstack }: Host) =>
  hostStep({
    input: RevertInput,
    output: Nothing,
    probe: alwaysAgain,
    async act({ disks }, context) {
      // A start that came to nothing may have been told of them; the next must not look for what goes now.
      const heads = disks.map(({ device, head }) => ({ device, volume: head }));
      await toolstack.perform({ do: 'configureHeads', heads }, context);
      for (const { newHead } of disks) {
        if (!newHead) continue;
        const { operation } = context;
        await images.perform({ do: 'trash', path: newHead.path, operation }, context);
      }
      return { output: {} };
    },
  });

function newHeads(disks: readonly RevertDisk[]): ImageDeed[] {
  return disks.flatMap<ImageDeed>(({ how, image, tag, newHead }) => {
    if (!newHead) return [];
    return how === 'extract' && tag !== undefined
      ? [{ do: 'extractTag', image, tag, to: newHead }]
      : [{ do: 'createOverlay', image: newHead, base: image }];
  });
}
