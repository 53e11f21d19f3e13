import { alwaysAgain, type Host, hostStep, Nothing, PREVIEW } from './host.ts';
import { DeleteInput } from './input.ts';

/** Move files that nothing needs any more to the trash folders beside them. Nothing is unlinked. */
export const trashImages = ({ images }: Host) => {
  const deeds = ({ trash }: DeleteInput, operation: string) =>
    trash.map(path => ({ do: 'trash' as const, path, operation }));
  return hostStep({
    input: DeleteInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(input, context) {
      for (const deed of deeds(input, context.operation)) await images.perform(deed, context);
      return { output: {} };
    },
    preview: input => deeds(input, PREVIEW).flatMap(deed => images.preview(deed)),
  });
};
