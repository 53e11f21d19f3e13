import { lvmergeArgv, lvremoveArgv } from '../tools/lvm-argv.ts';
import { type LvName, namedBy } from '../tools/lvm-name.ts';
import { convertSnapshotArgv } from '../tools/qemu-img-argv.ts';
import type { Argv } from '../tools/run.ts';
import type { CallContext } from '../toolstacks/port.ts';
import * as classic from './lvm.ts';
import * as thin from './lvm-thin.ts';
import { copyIntoNewImage } from './new-image.ts';
import type { ImageDeed } from './port.ts';
import { Group, mustBeOurs, noSuchTag } from './volume-group.ts';

/** The deeds on tags, which of a volume are its volume manager's. */
export type VolumeDeed = Extract<ImageDeed, { do: 'tag' | 'applyTag' | 'dropTag' | 'extractTag' }>;

/**
 * Do to a logical volume what qemu-img does to an image that holds its snapshots in itself.
 * Throws StepError `in-use`, `missing`, `exists`, `invalid`, `no-space`, `bad-image`, `tool-failed`.
 */
export async function performOnVolume(deed: VolumeDeed, context: CallContext): Promise<void> {
  const { image, tag } = deed;
  const group = await Group.of(image.path, context);
  switch (deed.do) {
    case 'tag':
      return deed.roomBytes === undefined
        ? await thin.take(group, tag)
        : await classic.take(group, tag, deed.roomBytes);
    case 'applyTag':
      return deed.roomBytes === undefined
        ? await thin.apply(group, tag)
        : await classic.apply(group, tag, context);
    case 'dropTag':
      return drop(group, tag);
    case 'extractTag':
      return extract(group, deed, context);
  }
}

/** Remove a snapshot; one that is gone is gone. */
async function drop(group: Group, tag: string): Promise<void> {
  const found = (await group.volumes()).find(tag);
  if (found) {
    mustBeOurs(found, group.disk);
    await group.remove(tag);
  }
  await group.sweep(tag, found?.pool === null && found.origin === null);
}

/** Copy a snapshot's content into a new image. One that slept, as thin ones do, is sent back to it. */
async function extract(
  group: Group,
  { image, tag, to }: Extract<VolumeDeed, { do: 'extractTag' }>,
  context: CallContext,
): Promise<void> {
  const volumes = await group.volumes();
  const snapshot = volumes.find(tag);
  if (!snapshot) throw noSuchTag(image.path, tag);
  if (!snapshot.active) await group.change(tag, '--activate', 'y', '--ignoreactivationskip');
  const copy = (draft: string) => copyArgv(group.disk, tag, draft);
  await copyIntoNewImage({ to, like: image.path, backing: null, copy }, context);
  // Whoever else has opened it by now keeps it awake: that is no harm.
  if (!snapshot.active) await group.change(tag, '--activate', 'n').catch(() => undefined);
}

const copyArgv = ({ vg }: LvName, tag: string, to: string): Argv =>
  convertSnapshotArgv({ from: `/dev/${vg}/${tag}`, fromFormat: 'raw', to });

/** The commands of such a deed where nothing goes wrong. */
export function volumeArgvs(deed: VolumeDeed): readonly Argv[] {
  const { image, tag } = deed;
  const disk = namedBy(image.path);
  if (!disk) return [];
  const snapshot = { ...disk, lv: tag };
  switch (deed.do) {
    case 'tag':
      return deed.roomBytes === undefined
        ? [thin.takeArgv({ disk }, tag)]
        : [classic.takeArgv({ disk }, tag, deed.roomBytes)];
    case 'applyTag':
      return deed.roomBytes === undefined
        ? thin.applyArgvs({ disk }, tag)
        : [lvmergeArgv(snapshot), classic.takeArgv({ disk }, tag, deed.roomBytes)];
    case 'dropTag':
      return [lvremoveArgv(snapshot)];
    case 'extractTag':
      return [copyArgv(disk, tag, deed.to.path)];
  }
}
