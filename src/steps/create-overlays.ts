import type { Overlay } from '../toolstacks/port.ts';
import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { type CreateDisk, CreateInput } from './input.ts';
import { together } from './together.ts';

/**
 * Make the next heads, durable and empty, and let the running domain open them without using them:
 * what can be done before the guest stands still is done here.
 */
export const createOverlays = ({ images, toolstack }: Host) =>
  hostStep({
    input: CreateInput,
    output: Nothing,
    // Each deed finds its own work by the operation's id in the file's name.
    probe: alwaysAgain,
    async act({ disks, runBefore }, context) {
      await together(creations(disks).map(deed => images.perform(deed, context)));
      const attach = attachment(disks, runBefore);
      if (attach) await toolstack.perform(attach, context);
      return { output: {} };
    },
    preview({ disks, runBefore }) {
      const attach = attachment(disks, runBefore);
      return [
        ...creations(disks).flatMap(deed => images.preview(deed)),
        ...(attach ? toolstack.preview(attach) : []),
      ];
    },
  });

/** The overlays of a plan, by device. */
export const overlaysOf = (disks: readonly CreateDisk[]): Overlay[] =>
  disks.flatMap(({ device, overlay }) => (overlay ? [{ device, volume: overlay }] : []));

const creations = (disks: readonly CreateDisk[]) =>
  disks.flatMap(({ head, overlay }) =>
    overlay ? [{ do: 'createOverlay' as const, image: overlay, base: head }] : [],
  );

const attachment = (disks: readonly CreateDisk[], runBefore: string) => {
  const overlays = overlaysOf(disks);
  return runBefore === 'off' || overlays.length === 0
    ? undefined
    : { do: 'attachOverlays' as const, key: 'overlay', overlays };
};
