import { StepError } from '../../src/engine/step.ts';
import type { ImageDeed, ManagedVolume } from '../../src/storages/port.ts';
import type { CallContext } from '../../src/toolstacks/port.ts';
import { BLOCKS, type SimImage } from './image-store.ts';
import type { Life } from './life.ts';

type OnTag = ImageDeed & { do: 'tag' | 'applyTag' | 'dropTag' };

/** What a volume manager with plenty of room says of a volume. */
export function managerOf({ tags, merging }: SimImage, open: boolean): ManagedVolume {
  const sizeBytes = 2 * BLOCKS * 64 * 1024;
  return {
    kind: 'lvm',
    group: 'vg0',
    freeBytes: 1000 * sizeBytes,
    extentBytes: 64 * 1024,
    shared: null,
    active: true,
    open,
    suspended: false,
    alias: null,
    isSnapshot: false,
    merging: merging !== undefined,
    pool: null,
    snapshots: [...tags.keys()].map(tag => ({
      tag,
      sizeBytes,
      usedBytes: 0,
      broken: null,
      open: false,
      merging: merging?.tag === tag,
    })),
    foreign: [],
  };
}

/**
 * The deeds on a classic volume's snapshots. A merge brings the content back block by block and uses the
 * snapshot up, which is then taken again: whoever is killed in between is gone on with.
 */
export async function onVolume(
  life: Life,
  { do: what, image, tag }: OnTag,
  context: CallContext,
): Promise<void> {
  const volume = life.world.store.image(image);
  const { blocks, tags } = volume;
  if (what === 'tag') {
    if (tags.has(tag)) return;
    tags.set(tag, new Map(blocks));
    life.world.takenFrozen = (life.world.process?.frozen ?? 0) > 0;
  } else if (what === 'dropTag') {
    tags.delete(tag);
  } else {
    if (life.world.opened(image.path)) throw new StepError('in-use', `${image.path} is open`);
    const before = volume.merging;
    if (before) await merge(life, volume, context);
    if (before?.tag === tag) return;
    const held = tags.get(tag);
    if (!held) throw new StepError('missing', `${image.path} has no snapshot ${tag}`);
    volume.merging = { tag, held };
    await life.moment(what, context);
    await merge(life, volume, context);
  }
  await life.moment(what, context);
}

async function merge(life: Life, volume: SimImage, context: CallContext): Promise<void> {
  const { merging, blocks, tags } = volume;
  if (!merging) return;
  tags.delete(merging.tag);
  for (let block = 0; block < BLOCKS; block += 1) {
    const value = merging.held.get(block);
    if (value === blocks.get(block)) continue;
    if (value === undefined) blocks.delete(block);
    else blocks.set(block, value);
    await life.moment('applyTag', context);
  }
  tags.set(merging.tag, merging.held);
  await life.moment('applyTag', context);
  volume.merging = undefined;
}
