import type { ImageDeed } from '../storages/port.ts';
import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { CreateInput } from './input.ts';

/** Tag the internal disks of a domain that is off. */
export const tagDisks = ({ images }: Host) => {
  const deeds = ({ disks }: CreateInput) =>
    disks.flatMap<ImageDeed>(({ head, tag, roomBytes }) =>
      tag === undefined ? [] : [{ do: 'tag', image: head, tag, roomBytes }],
    );
  return hostStep({
    input: CreateInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(input, context) {
      for (const deed of deeds(input)) await images.perform(deed, context);
      return { output: {} };
    },
    preview: input => deeds(input).flatMap(deed => images.preview(deed)),
  });
};
