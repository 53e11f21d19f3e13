import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { CreateInput } from './input.ts';

/** Make the file that the memory goes to, and set the capture up while the guest still runs. */
export const createMemoryFile = ({ images, toolstack }: Host) =>
  hostStep({
    input: CreateInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(input, context) {
      const [file, setUp] = deeds(input);
      await images.perform(file, context);
      await toolstack.perform(setUp, context);
      return { output: {} };
    },
    preview(input) {
      const [file, setUp] = deeds(input);
      return [...images.preview(file), ...toolstack.preview(setUp)];
    },
  });

function deeds({ memory, disks }: CreateInput) {
  if (!memory) throw new Error('a case with memory has a memory file');
  const like = disks[0]?.head.path ?? memory.path;
  return [
    { do: 'createFile' as const, path: memory.path, like },
    { do: 'prepareCapture' as const, capture: memory.capture },
  ] as const;
}
