import type { DomainDeed, LiveDisk } from '../toolstacks/port.ts';
import { overlaysOf } from './create-overlays.ts';
import { type Host, hostStep, Nothing } from './host.ts';
import { type CreateDisk, CreateInput } from './input.ts';

/** Take all disks of the running domain at one instant: external ones move to their overlays. */
export const snapshotDisks = ({ toolstack }: Host) =>
  hostStep({
    input: CreateInput,
    output: Nothing,
    async probe({ disks }, context) {
      if ((await toolstack.runState(context)) === 'off') {
        // The domain died with its chains. Which images it had written to, undoDisks finds out.
        return { state: 'absent' };
      }
      const live = await toolstack.liveDisks(context);
      const tags = await toolstack.liveTags(context);
      const taken = disks.filter(disk => isTaken(disk, live, tags));
      const wanted = disks.filter(({ mode }) => mode !== 'none');
      const tagged = wanted.filter(({ tag }) => tag !== undefined);
      // Where both kinds do not come together, all tags come before the first overlay.
      const onlyTags = taken.length < wanted.length && taken.length === tagged.length;
      const notYet = taken.length === 0 || (onlyTags && taken.every(one => tagged.includes(one)));
      // A head that strayed is to be taken back.
      if (notYet || live.some(({ strayed }) => strayed)) return { state: 'absent' };
      if (taken.length === wanted.length) return { state: 'present', output: {} };
      const why = `${taken.length} of ${wanted.length} disks have been snapshotted`;
      return { state: 'unknown', why };
    },
    async act({ disks }, context) {
      await toolstack.perform(transaction(disks), context);
      return { output: {} };
    },
    preview: ({ disks }) => toolstack.preview(transaction(disks)),
  });

/** Whether a disk shows this snapshot in the running domain. */
function isTaken(
  { device, overlay, tag }: CreateDisk,
  live: readonly LiveDisk[],
  tags: Readonly<Record<string, readonly string[]>>,
): boolean {
  if (tag !== undefined) return tags[device]?.includes(tag) ?? false;
  const chain = live.find(disk => disk.device === device)?.chain ?? [];
  return overlay !== undefined && chain.some(({ path }) => path === overlay.path);
}

function transaction(disks: readonly CreateDisk[]): DomainDeed {
  return {
    do: 'snapshotDisks',
    external: overlaysOf(disks),
    internal: disks.flatMap(({ device, tag }) => (tag === undefined ? [] : [{ device, tag }])),
  };
}
