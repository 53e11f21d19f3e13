import { z } from 'zod';
import { alwaysAgain, type Host, hostStep } from './host.ts';
import { RevertInput } from './input.ts';

/** Flush the disks and end the domain's process. What it held in memory is given up here. */
export const stopDomain = ({ toolstack }: Host) =>
  hostStep({
    input: RevertInput,
    output: z.object({}),
    probe: alwaysAgain,
    async act(_input, context) {
      await toolstack.perform({ do: 'stop' }, context);
      return { output: {} };
    },
    preview: () => toolstack.preview({ do: 'stop' }),
  });
