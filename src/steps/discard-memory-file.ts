import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { CreateInput } from './input.ts';

/** Move a memory file that nobody will load to the trash. */
export const discardMemoryFile = ({ images }: Host) =>
  hostStep({
    input: CreateInput,
    output: Nothing,
    probe: alwaysAgain,
    async act({ memory }, context) {
      if (memory) {
        const { operation } = context;
        await images.perform({ do: 'trash', path: memory.path, operation }, context);
      }
      return { output: {} };
    },
  });
