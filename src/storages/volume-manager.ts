import { lvmergeArgv, lvremoveArgv } from '../tools/lvm-argv.ts';
import { namedBy } from '../tools/lvm-name.ts';
import type { Argv } from '../tools/run.ts';
import type { CallContext } from '../toolstacks/port.ts';
import * as classic from './lvm.ts';
import * as thin from './lvm-thin.ts';
import type { ImageDeed } from './port.ts';
import { Group } from './volume-group.ts';

/** The deeds on tags, which of a volume are its volume manager's. */
export type VolumeDeed = Extract<ImageDeed, { do: 'tag' | 'applyTag' | 'dropTag' }>;

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
      if ((await group.volumes()).find(tag)) await group.remove(tag);
  }
}

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
  }
}
