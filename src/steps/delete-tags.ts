import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { DeleteInput } from './input.ts';

/** Delete the victims' internal snapshots. Only reference counts change; what is gone stays gone. */
export const deleteTags = ({ images, toolstack }: Host) => {
  const split = ({ tags }: DeleteInput, off: boolean) => ({
    live: tags.filter(tag => tag.live && !off).map(({ device, tag }) => ({ device, tag })),
    offline: tags
      .filter(tag => !tag.live || off)
      .map(({ image, tag }) => ({ do: 'dropTag' as const, image, tag })),
  });
  return hostStep({
    input: DeleteInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(input, context) {
      const off = (await toolstack.runState(context)) === 'off';
      const { live, offline } = split(input, off);
      if (live.length > 0) await toolstack.perform({ do: 'dropTags', internal: live }, context);
      for (const deed of offline) await images.perform(deed, context);
      return { output: {} };
    },
    preview(input) {
      const { live, offline } = split(input, input.runBefore === 'off');
      return [
        ...(live.length > 0 ? toolstack.preview({ do: 'dropTags', internal: live }) : []),
        ...offline.flatMap(deed => images.preview(deed)),
      ];
    },
  });
};
