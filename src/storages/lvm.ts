import { setTimeout as sleep } from 'node:timers/promises';
import { StepError } from '../engine/step.ts';
import { lvcreateArgv, lvmergeArgv } from '../tools/lvm-argv.ts';
import type { LogicalVolume } from '../tools/lvm-report.ts';
import type { Argv } from '../tools/run.ts';
import type { CallContext } from '../toolstacks/port.ts';
import { markOf, UNDER_WAY } from './lvm-view.ts';
import { type Group, mustBeOurs, noSuchTag, type Volumes } from './volume-group.ts';

// Classic copy-on-write snapshots: the disk stays where it is, and what it overwrites goes to the room
// of each snapshot first. A merge brings a snapshot's content back and uses the snapshot up, so it is
// taken again at once, of the same content, before anybody writes to the disk.

/** The command that takes a snapshot. */
export const takeArgv = ({ disk }: Pick<Group, 'disk'>, tag: string, roomBytes: number): Argv =>
  lvcreateArgv({ of: disk, name: tag, roomBytes, tags: [markOf(disk.lv)] });

/** Take a snapshot; one of that name which is whole is the same one, since tags carry the operation. */
export async function take(group: Group, tag: string, roomBytes: number): Promise<void> {
  try {
    // Before anything is asked: the guest stands still, and each command is a process.
    await group.run(takeArgv(group, tag, roomBytes));
  } catch (error) {
    const volumes = await group.volumes();
    const found = volumes.find(tag);
    if (found) {
      mustBeOurs(found, group.disk);
      if (isWhole(found, volumes.disk)) return;
      // A try that was cut short has left the room without a snapshot in it.
      await group.remove(tag);
    }
    if (!(await group.sweep(tag, found !== undefined))) throw error;
    await group.run(takeArgv(group, tag, roomBytes));
  }
}

const isWhole = (snapshot: LogicalVolume, disk: LogicalVolume): boolean =>
  snapshot.origin === disk.name && !snapshot.invalid && !snapshot.merging;

/**
 * What is under way is written on the disk itself, as a tag of LVM's: which snapshot is merged, by its
 * id, and how much room it had. So whoever comes next knows a snapshot that is yet to be merged from the
 * one that was taken again. For as long the disk is not activated when the host starts: between the merge and
 * the taking again the disk alone holds the snapshot's content, and no guest may have written to it.
 */
interface UnderWay {
  readonly mark: string;
  readonly tag: string;
  readonly roomBytes: number;
  readonly uuid: string;
}

function underWay({ tags }: LogicalVolume): UnderWay | undefined {
  const mark = tags.find(one => one.startsWith(UNDER_WAY));
  const [tag, room, uuid] = (mark ?? '').slice(UNDER_WAY.length).split('/');
  if (mark === undefined || !tag || !room || !uuid) return undefined;
  return { mark, tag, roomBytes: Number(room), uuid };
}

/**
 * Put the disk back to a snapshot's content; the snapshot is there afterwards. Nobody may have the disk
 * open: LVM would answer that all is well, and merge at some later activation.
 * Throws StepError `in-use`, `missing`, `invalid`, `no-space`.
 */
export async function apply(group: Group, tag: string, context: CallContext): Promise<void> {
  let volumes = await group.volumes();
  volumes.mustBeClosed();
  const before = underWay(volumes.disk);
  if (before) {
    await bringToItsEnd(group, volumes, before, context);
    if (before.tag === tag) return;
    volumes = await group.volumes();
  }
  const snapshot = volumes.find(tag);
  if (!snapshot) throw noSuchTag(group.disk.lv, tag);
  mustBeOurs(snapshot, group.disk);
  if (!isWhole(snapshot, volumes.disk)) {
    throw new StepError('invalid', `${tag} ran full, and LVM has given it up`, {
      retryable: false,
    });
  }
  const mark = `${UNDER_WAY}${tag}/${snapshot.sizeBytes}/${snapshot.uuid}`;
  await group.change(group.disk.lv, '--addtag', mark, '--setactivationskip', 'y');
  const begun = { mark, tag, roomBytes: snapshot.sizeBytes, uuid: snapshot.uuid };
  await bringToItsEnd(group, volumes, begun, context);
}

/** Merge, wait for the end of it, take the snapshot again, and forget that anything was under way. */
async function bringToItsEnd(
  group: Group,
  seen: Volumes,
  { mark, tag, roomBytes, uuid }: UnderWay,
  context: CallContext,
): Promise<void> {
  let volumes = seen;
  if (!volumes.disk.active) await wake(group);
  const found = volumes.find(tag);
  if (found?.uuid === uuid && !found.merging && found.origin === null) {
    // It was killed when all was merged: LVM has taken the snapshot from the disk, and not removed it yet.
    await group.remove(tag);
    await group.sweep(tag, true);
    volumes = await group.volumes();
  } else if (found?.uuid === uuid && !found.merging) {
    await group.run(lvmergeArgv(group.sibling(tag)));
    volumes = await group.volumes();
  }
  if (volumes.merging) volumes = await waitForMerge(group, context);
  if (volumes.find(tag)?.uuid === uuid) {
    throw new StepError('tool-failed', `LVM says that ${tag} is merged, but has it still`);
  }
  try {
    await take(group, tag, roomBytes);
  } catch (error) {
    // The disk alone holds that content now: no guest is to start on it before it is taken again.
    await group.change(group.disk.lv, '--activate', 'n').catch(() => undefined);
    throw error;
  }
  await group.change(group.disk.lv, '--deltag', mark, '--setactivationskip', 'n');
}

const wake = (group: Group): Promise<void> =>
  group.change(group.disk.lv, '--activate', 'y', '--ignoreactivationskip');

const POLL_MS = 500;

/**
 * Wait until a merge is over that another process has begun, or that LVM has put off until the disk is
 * activated again: then that is done here, since nobody has it open.
 */
async function waitForMerge(group: Group, { signal }: CallContext): Promise<Volumes> {
  const { lv } = group.disk;
  let volumes = await group.volumes();
  volumes.mustBeClosed();
  // Where it has begun already this changes nothing; and `--poll` looks after what nobody waits for now.
  await group.change(lv, '--activate', 'n');
  await wake(group);
  while (volumes.merging) {
    if (signal.aborted) throw new StepError('aborted', `${lv} is still being merged`);
    if (volumes.disk.mergeFailed || volumes.merging.mergeFailed) {
      throw new StepError('tool-failed', `the merge of ${volumes.merging.name} into ${lv} failed`);
    }
    await group.change(lv, '--poll', 'y');
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    volumes = await group.volumes();
  }
  return volumes;
}
