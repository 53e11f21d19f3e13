import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { RevertInput } from './input.ts';

/** Flush the disks and end the domain's process. What it held in memory is given up here. */
export const stopDomain = ({ toolstack }: Host) =>
  hostStep({
    input: RevertInput,
    output: Nothing,
    async probe(_input, context) {
      const off = (await toolstack.runState(context)) === 'off';
      return off ? { state: 'present', output: {} } : { state: 'absent' };
    },
    async act(_input, context) {
      await toolstack.perform({ do: 'stop' }, context);
      return { output: {} };
    },
    preview: () => toolstack.preview({ do: 'stop' }),
  });

/** A guest that was to be ended and still lives goes on as before. One that has been ended has no before. */
export const letRunOn = ({ toolstack }: Host) =>
  hostStep({
    input: RevertInput,
    output: Nothing,
    probe: alwaysAgain,
    async act({ runBefore }, context) {
      if (context.results.stopDomain !== undefined) return { output: {} };
      const state = await toolstack.runState(context);
      if (state !== 'off' && state !== runBefore) {
        await toolstack.perform({ do: runBefore === 'paused' ? 'pause' : 'resume' }, context);
      }
      return { output: {} };
    },
  });
