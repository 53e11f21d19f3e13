import type { RevertDisk } from '../steps/input.ts';
import { mebibytes } from './draft.ts';
import type { Refusal } from './refusal.ts';
import type { Survey } from './survey.ts';
import { heldSnapshots, managerOf, volumeRefusals } from './volumes.ts';

/**
 * What stands in the way of putting volumes back: what a snapshot of theirs lacks; and a merge writes into
 * the disk all that has changed, of which each other snapshot of it has to keep a copy.
 */
export function volumesInTheWay(disks: readonly RevertDisk[], facts: Survey): Refusal[] {
  const applied = disks.filter(({ how }) => how === 'apply');
  const taken = applied.map(({ device, head, roomBytes }) => ({
    disk: { device, head },
    roomBytes,
  }));
  const tooFull = applied.flatMap(disk => {
    const { device, head, tag, roomBytes = 0 } = disk;
    const manager = managerOf(facts, head);
    if (manager?.kind !== 'lvm') return [];
    const written = mergedBytes(disk, facts);
    // What somebody else has taken would be lost with no word said.
    const short = [...manager.snapshots, ...manager.foreign].find(
      one => one.tag !== tag && !one.broken && one.sizeBytes - one.usedBytes < written,
    );
    const [who, room] = short
      ? [`${manager.group}/${short.tag}`, short.sizeBytes - short.usedBytes]
      : ['what the disk holds now', roomBytes];
    if (room >= written) return [];
    return [
      {
        code: 'no-space',
        message: `${device}: putting ${mebibytes(written)} back needs as much room in every other snapshot of the volume, and ${who} has ${mebibytes(room)}`,
        hint: short
          ? `lvextend -L +${mebibytes(written).replace(' MiB', 'm')} ${manager.group}/${short.tag}`
          : 'give it more: --lvm-size',
      },
    ];
  });
  // A thin one is only copied from.
  const merged = applied.flatMap(({ device, head, tag }) =>
    tag !== undefined && managerOf(facts, head)?.kind === 'lvm'
      ? [{ device, image: head, tag }]
      : [],
  );
  return [...volumeRefusals(facts, taken), ...heldSnapshots(facts, merged), ...tooFull];
}

/** What a merge of LVM's writes into a disk; nothing where a disk is put back in another way. */
export function mergedBytes({ how, head, tag }: RevertDisk, facts: Survey): number {
  const manager = how === 'apply' ? managerOf(facts, head) : undefined;
  if (manager?.kind !== 'lvm') return 0;
  return manager.snapshots.find(one => one.tag === tag)?.usedBytes ?? 0;
}
