import { setTimeout as sleep } from 'node:timers/promises';
import { StepError } from '../engine/step.ts';
import { lvcreateArgv, lvmergeArgv } from '../tools/lvm-argv.ts';
import type { LogicalVolume } from '../tools/lvm-report.ts';
import type { Argv } from '../tools/run.ts';
import type { CallContext } from '../toolstacks/port.ts';
import { markOf } from './lvm-view.ts';
import { type Group, noSuchTag, type Volumes } from './volume-group.ts';

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
    if (found === undefined) throw error;
    if (isWhole(found, volumes.disk)) return;
    // A try that was cut short has left the room without a snapshot in it.
    await group.remove(tag);
    await group.run(takeArgv(group, tag, roomBytes));
  }
}

const isWhole = (snapshot: LogicalVolume, disk: LogicalVolume): boolean =>
  snapshot.origin === disk.name && !snapshot.invalid && !snapshot.merging;

/**
 * What is under way is written on the disk itself, as a tag of LVM's: which snapshot is merged, by its
 * id, and how much room it had. So whoever comes next knows a snapshot that is yet to be merged from the
 * one that was taken again.
 */
const UNDER_WAY = 'domsnap.merge=';

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
  if (!isWhole(snapshot, volumes.disk)) {
    throw new StepError('invalid', `${tag} ran full, and LVM has given it up`, {
      retryable: false,
    });
  }
  const mark = `${UNDER_WAY}${tag}/${snapshot.sizeBytes}/${snapshot.uuid}`;
  await group.change(group.disk.lv, '--addtag', mark);
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
  const found = volumes.find(tag);
  if (found?.uuid === uuid && !found.merging) {
    await group.run(lvmergeArgv(group.sibling(tag)));
    volumes = await group.volumes();
  }
  if (volumes.merging) volumes = await waitForMerge(group, context);
  if (volumes.find(tag)?.uuid === uuid) {
    throw new StepError('tool-failed', `LVM says that ${tag} is merged, but has it still`);
  }
  await take(group, tag, roomBytes);
  await group.change(group.disk.lv, '--deltag', mark);
}

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
  await group.change(lv, '--activate', 'y');
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
