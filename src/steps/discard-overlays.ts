import { overlaysOf } from './create-overlays.ts';
import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { CreateInput } from './input.ts';

/** Close overlays that nothing uses and move them to the trash. */
export const discardOverlays = ({ images, toolstack }: Host) =>
  hostStep({
    input: CreateInput,
    output: Nothing,
    probe: alwaysAgain,
    async act({ disks }, context) {
      const volumes = overlaysOf(disks).map(({ volume }) => volume);
      if (volumes.length === 0) return { output: {} };
      if ((await toolstack.runState(context)) !== 'off') {
        await toolstack.perform({ do: 'detachVolumes', volumes }, context);
      } else {
        // Its next start must not look for what goes now.
        const heads = disks.map(({ device, head }) => ({ device, volume: head }));
        await toolstack.perform({ do: 'configureHeads', heads }, context);
      }
      for (const { path } of volumes) {
        await images.perform({ do: 'trash', path, operation: context.operation }, context);
      }
      return { output: {} };
    },
  });
