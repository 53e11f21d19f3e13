import { StepError } from '../engine/step.ts';
import { lvchangeArgv, lvcreateArgv, lvremoveArgv, lvrenameArgv } from '../tools/lvm-argv.ts';
import type { LogicalVolume } from '../tools/lvm-report.ts';
import type { Argv } from '../tools/run.ts';
import { markOf } from './lvm-view.ts';
import { type Group, mustBeOurs, noSuchTag, replaced, type Volumes } from './volume-group.ts';

// Thin volumes share their blocks in a pool: a snapshot is a volume like any other, and one of a snapshot
// as good as one of a disk. So a revert is a new snapshot of the snapshot, under the disk's own name.

/** The command that takes a snapshot. */
export const takeArgv = ({ disk }: Pick<Group, 'disk'>, tag: string): Argv =>
  lvcreateArgv({ of: disk, name: tag, tags: [markOf(disk.lv)] });

/** Take a snapshot; one of that name is the same one, since tags carry the operation. */
export async function take(group: Group, tag: string): Promise<void> {
  try {
    await group.run(takeArgv(group, tag));
  } catch (error) {
    const found = (await group.volumes()).find(tag);
    if (found === undefined) throw error;
    mustBeOurs(found, group.disk);
    if (!found.active) await makeSure(group, tag);
  }
}

/**
 * LVM writes a volume down first, and has the pool make it then: of a try that was killed in between only
 * the name is there, and it would get the disk's content of some later moment. To wake it has it made now.
 */
async function makeSure(group: Group, tag: string): Promise<void> {
  try {
    await group.change(tag, '--activate', 'y', '--ignoreactivationskip');
  } catch {
    await group.remove(tag);
    await group.run(takeArgv(group, tag));
    return;
  }
  await group.change(tag, '--activate', 'n').catch(() => undefined);
}

/** The mark by which a disk whose place is being taken is known for that. */
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
  const snapshot = volumes.find(tag);
  if (!snapshot) throw noSuchTag(lv, tag);
  mustBeOurs(snapshot, group.disk);
  const old = volumes.find(replaced(lv));
  mustBeWaiting(old);
  const { tags } = old ?? volumes.disk;
  const kept = tags.filter(one => one !== MARK);
  const [mark, rename, create, remove] = applyArgvs(group, tag, kept);
  const inPlace = volumes.find(lv);
  if (!old) {
    await group.run(mark);
    await group.run(rename);
  } else if (inPlace) {
    // A try that was cut short has put it there, whole or not; what it holds, its snapshot holds too.
    mustBeCopy(inPlace, volumes, group);
    await group.remove(lv);
  }
  await group.run(create);
  await group.run(remove);
}

/** Somebody may have made a disk of that name himself, when he found that there was none. */
function mustBeCopy({ vg, name, origin }: LogicalVolume, volumes: Volumes, { disk }: Group): void {
  const from = origin === null ? undefined : volumes.find(origin);
  if (from?.tags.includes(markOf(disk.lv))) return;
  const message = `${vg}/${name} was made by somebody else, while ${replaced(name)} waits to be replaced: remove the one that is not wanted`;
  throw new StepError('exists', message, { retryable: false });
}

function mustBeWaiting(old: LogicalVolume | undefined): void {
  if (!old || old.tags.includes(MARK)) return;
  const message = `${old.vg}/${old.name} is there, and not domsnap's: it would take that name for a moment`;
  throw new StepError('exists', message, { retryable: false });
}
