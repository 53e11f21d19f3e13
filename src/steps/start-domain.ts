import type { Overlay } from '../toolstacks/port.ts';
import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { RevertInput } from './input.ts';

/** Boot the domain on its new heads, where it is to run. */
export const startDomain = ({ toolstack }: Host) => {
  const deed = (input: RevertInput) => ({
    do: 'start' as const,
    heads: newHeadsOf(input),
    paused: input.runAfter === 'paused',
  });
  return hostStep({
    input: RevertInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(input, context) {
      if (input.runAfter === 'off') return { output: {} };
      await toolstack.perform(deed(input), context);
      // It may have been started before, and let run while nobody knew whether it had been.
      if (input.runAfter === 'paused' && (await toolstack.runState(context)) === 'running') {
        await toolstack.perform({ do: 'pause' }, context);
      }
      return { output: {} };
    },
    preview: input => (input.runAfter === 'off' ? [] : toolstack.preview(deed(input))),
  });
};

/** Start the domain on its new heads with the saved memory, and leave it standing still. */
export const loadMemory = ({ toolstack }: Host) => {
  const deed = (input: RevertInput) => {
    if (!input.memory) throw new Error('a case with memory has a memory file');
    return { do: 'startFrom' as const, heads: newHeadsOf(input), memory: input.memory };
  };
  return hostStep({
    input: RevertInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(input, context) {
      await toolstack.perform(deed(input), context);
      return { output: {} };
    },
    preview: input => toolstack.preview(deed(input)),
  });
};

const newHeadsOf = ({ disks }: RevertInput): Overlay[] =>
  disks.map(({ device, head, newHead }) => ({ device, volume: newHead ?? head }));
