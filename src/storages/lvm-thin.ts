import { StepError } from '../engine/step.ts';
import { lvchangeArgv, lvcreateArgv, lvremoveArgv, lvrenameArgv } from '../tools/lvm-argv.ts';
import type { LogicalVolume } from '../tools/lvm-report.ts';
import type { Argv } from '../tools/run.ts';
import { markOf } from './lvm-view.ts';
import { type Group, noSuchTag, type Volumes } from './volume-group.ts';

// Thin volumes share their blocks in a pool: a snapshot is a volume like any other, and one of a snapshot
// as good as one of a disk. So a revert is a new snapshot of the snapshot, under the disk's own name.

/** The command that takes a snapshot. */
export const takeArgv = ({ disk }: Pick<Group, 'disk'>, tag: string): Argv =>
  lvcreateArgv({ of: disk, name: tag, tags: [markOf(disk.lv)] });

/** Take a snapshot; one of that name is the same one: LVM makes it in one transaction of its own. */
export async function take(group: Group, tag: string): Promise<void> {
  try {
    await group.run(takeArgv(group, tag));
  } catch (error) {
    if (!(await group.volumes()).find(tag)) throw error;
  }
}

/** The name of a disk whose place is being taken, and the mark by which it is known for that. */
const replaced = (lv: string): string => `${lv}.replaced`;
const MARK = 'domsnap.replaced';

/** The commands of a revert, in their order. */
export const applyArgvs = (
  { disk }: Pick<Group, 'disk'>,
  tag: string,
  tags: readonly string[] = [],
): readonly [Argv, Argv, Argv, Argv] => [
  lvchangeArgv(disk, '--addtag', MARK),
  lvrenameArgv(disk, replaced(disk.lv)),
  lvcreateArgv({ of: { ...disk, lv: tag }, name: disk.lv, tags, awake: true }),
  lvremoveArgv({ ...disk, lv: replaced(disk.lv) }),
];

/**
 * Put a new snapshot of a snapshot in the disk's place. What the disk held is another snapshot's by now,
 * and goes. From each point on the way the next life finds its way by the names alone.
 * Throws StepError `in-use`, `missing`, `exists`, `no-space`.
 */
export async function apply(group: Group, tag: string): Promise<void> {
  const { lv } = group.disk;
  const volumes = await group.volumes();
  volumes.mustBeClosed();
  if (!volumes.find(tag)) throw noSuchTag(lv, tag);
  const old = volumes.find(replaced(lv));
  mustBeOurs(old);
  const { tags } = old ?? volumes.disk;
  const kept = tags.filter(one => one !== MARK);
  const [mark, rename, create, remove] = applyArgvs(group, tag, kept);
  const inPlace = volumes.find(lv);
  if (!old) {
    await group.run(mark);
    await group.run(rename);
  } else if (inPlace && inPlace.origin !== tag) {
    // Put there by a try for another snapshot, that was cut short: nobody has written to it.
    await group.remove(lv);
  }
  if (!old || inPlace?.origin !== tag) await group.run(create);
  await group.run(remove);
}

/** Whether a disk is on its way of being replaced, so that its name may be nobody's just now. */
export const beingReplaced = (volumes: Volumes, lv: string): boolean =>
  volumes.find(replaced(lv))?.tags.includes(MARK) ?? false;

function mustBeOurs(old: LogicalVolume | undefined): void {
  if (!old || old.tags.includes(MARK)) return;
  const message = `${old.vg}/${old.name} is there, and not domsnap's: it would take that name for a moment`;
  throw new StepError('exists', message, { retryable: false });
}
