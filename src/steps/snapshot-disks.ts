import { isManaged } from '../catalog/model.ts';
import type { EffectContext } from '../engine/step.ts';
import type { ImageDeed } from '../storages/port.ts';
import type { DomainDeed, LiveDisk } from '../toolstacks/port.ts';
import { overlaysOf } from './create-overlays.ts';
import { type Host, hostStep, Nothing } from './host.ts';
import { type CreateDisk, CreateInput } from './input.ts';

/**
 * Take all disks of the running domain at one instant, while its guest stands still: first those whose
 * snapshots a volume manager makes, one by one, then all others in one transaction of the domain's.
 */
export const snapshotDisks = (host: Host) => {
  const { toolstack, images } = host;
  return hostStep({
    input: CreateInput,
    output: Nothing,
    async probe({ disks }, context) {
      if ((await toolstack.runState(context)) === 'off') {
        // The domain died with its chains. Which images it had written to, undoDisks finds out.
        return { state: 'absent' };
      }
      const wanted = disks.filter(({ mode }) => mode !== 'none');
      const others = wanted.filter(disk => !keptByManager(disk));
      // Those of a volume manager come first: where others are taken, they are.
      if (others.length === 0) {
        const taken = await allOnVolumes(host, wanted, context);
        return taken ? { state: 'present', output: {} } : { state: 'absent' };
      }
      const live = await toolstack.liveDisks(context);
      const tags = await toolstack.liveTags(context);
      const taken = others.filter(disk => isTaken(disk, live, tags));
      const tagged = others.filter(({ tag }) => tag !== undefined);
      // Where both kinds do not come together, all tags come before the first overlay.
      const onlyTags = taken.length < others.length && taken.length === tagged.length;
      const notYet = taken.length === 0 || (onlyTags && taken.every(one => tagged.includes(one)));
      // A head that strayed is to be taken back.
      if (notYet || live.some(({ strayed }) => strayed)) return { state: 'absent' };
      if (taken.length === others.length) return { state: 'present', output: {} };
      const why = `${taken.length} of ${others.length} disks have been snapshotted`;
      return { state: 'unknown', why };
    },
    async act({ disks }, context) {
      for (const deed of onVolumes(disks)) await images.perform(deed, context);
      const inDomain = transaction(disks);
      if (inDomain) await toolstack.perform(inDomain, context);
      return { output: {} };
    },
    preview({ disks }) {
      const inDomain = transaction(disks);
      return [
        ...onVolumes(disks).flatMap(deed => images.preview(deed)),
        ...(inDomain ? toolstack.preview(inDomain) : []),
      ];
    },
  });
};

/** Whether a volume manager keeps this disk of the snapshot. */
export const keptByManager = ({ head, tag }: CreateDisk): boolean =>
  tag !== undefined && isManaged(head);

/**
 * A thin one that is there may be a name alone, and a disk that stands still is one whose snapshot was cut
 * short: of these the answer is no, and whoever takes or drops them makes sure.
 */
async function allOnVolumes(
  { images }: Host,
  disks: readonly CreateDisk[],
  context: EffectContext,
): Promise<boolean> {
  for (const { head, tag } of disks) {
    const { tags, manager } = await images.view(head, context, true);
    if (tag === undefined || !tags.includes(tag)) return false;
    if (manager?.kind !== 'lvm' || manager.suspended) return false;
  }
  return true;
}

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

const onVolumes = (disks: readonly CreateDisk[]): ImageDeed[] =>
  disks
    .filter(keptByManager)
    .flatMap(({ head, tag, roomBytes }) =>
      tag === undefined ? [] : [{ do: 'tag', image: head, tag, roomBytes }],
    );

/** What the domain itself has to do; undefined where that is nothing. */
function transaction(disks: readonly CreateDisk[]): DomainDeed | undefined {
  const external = overlaysOf(disks);
  const internal = disks.flatMap(disk =>
    disk.tag === undefined || keptByManager(disk) ? [] : [{ device: disk.device, tag: disk.tag }],
  );
  if (external.length + internal.length === 0) return undefined;
  return { do: 'snapshotDisks', external, internal };
}
