import type { ImageDeed } from '../storages/port.ts';
import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { type RevertDisk, RevertInput } from './input.ts';

type Deeds = (disk: RevertDisk & { tag: string }) => ImageDeed[];

/** Tag what the disks hold now. Once: a second tag would hold what is put in their place. */
export const keepAbandoned = (host: Host) =>
  onApplied(host, ({ head, abandonTag, roomBytes }) =>
    abandonTag === undefined ? [] : [{ do: 'tag', image: head, tag: abandonTag, roomBytes }],
  );

/** Drop that tag again. */
export const dropAbandoned = (host: Host) =>
  onApplied(host, ({ head, abandonTag }) =>
    abandonTag === undefined ? [] : [{ do: 'dropTag', image: head, tag: abandonTag }],
  );

/** Put the internal snapshots in the place of what the disks hold. The domain is off. */
export const applyTags = (host: Host) =>
  onApplied(host, ({ head, tag, roomBytes }) => [{ do: 'applyTag', image: head, tag, roomBytes }]);

/** Put the disks back to what they held before, which `keepAbandoned` has tagged. */
export const reapplyAbandoned = (host: Host) =>
  onApplied(host, ({ head, abandonTag, roomBytes }) =>
    abandonTag === undefined ? [] : [{ do: 'applyTag', image: head, tag: abandonTag, roomBytes }],
  );

/** For each disk whose internal snapshot is put in place. All these deeds may be done again. */
function onApplied({ images }: Host, deeds: Deeds) {
  const all = (disks: readonly RevertDisk[]) =>
    disks.flatMap(disk =>
      disk.how === 'apply' && disk.tag !== undefined ? deeds({ ...disk, tag: disk.tag }) : [],
    );
  return hostStep({
    input: RevertInput,
    output: Nothing,
    probe: alwaysAgain,
    async act({ disks }, context) {
      for (const deed of all(disks)) await images.perform(deed, context);
      return { output: {} };
    },
    preview: ({ disks }) => all(disks).flatMap(deed => images.preview(deed)),
  });
}
