import type { DomainDeed } from '../toolstacks/port.ts';
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
      const taken = await takenDisks({ toolstack }, disks, context);
      const all = disks.filter(({ mode }) => mode !== 'none').length;
      if (taken === 0) return { state: 'absent' };
      if (taken === all) return { state: 'present', output: {} };
      return { state: 'unknown', why: `${taken} of ${all} disks have been snapshotted` };
    },
    async act({ disks }, context) {
      await toolstack.perform(transaction(disks), context);
      return { output: {} };
    },
    preview: ({ disks }) => toolstack.preview(transaction(disks)),
  });

/** How many of the disks show this snapshot in the running domain. */
async function takenDisks(
  { toolstack }: Pick<Host, 'toolstack'>,
  disks: readonly CreateDisk[],
  context: Parameters<Host['toolstack']['liveDisks']>[0],
): Promise<number> {
  const live = await toolstack.liveDisks(context);
  const tags = await toolstack.liveTags(context);
  const isTaken = ({ device, overlay, tag }: CreateDisk) => {
    if (tag !== undefined) return tags[device]?.includes(tag) ?? false;
    const chain = live.find(disk => disk.device === device)?.chain ?? [];
    return overlay !== undefined && chain.some(({ path }) => path === overlay.path);
  };
  return disks.filter(isTaken).length;
}

function transaction(disks: readonly CreateDisk[]): DomainDeed {
  return {
    do: 'snapshotDisks',
    external: overlaysOf(disks),
    internal: disks.flatMap(({ device, tag }) => (tag === undefined ? [] : [{ device, tag }])),
  };
}
