import type { Volume } from '../../src/catalog/model.ts';
import type { ImageDeed } from '../../src/storages/port.ts';
import { BLOCKS, type ImageStore } from './image-store.ts';

// The tools of images, block by block: between two blocks their engine, or they themselves, may die.

/** Where an image is made before it is whole. */
export const draftOf = ({ path, format }: Volume): Volume => ({ path: `${path}.draft`, format });

/** The content of a tag into a draft of a new image; its name it gets of the engine, when it is whole. */
export function* extractWork(
  store: ImageStore,
  { image, tag, to }: ImageDeed & { do: 'extractTag' },
): Generator<void> {
  const from = store.image(image);
  const draft = draftOf(to);
  store.makeImage(draft, from.backing);
  yield;
  for (const [block, value] of from.tags.get(tag) ?? []) {
    store.write(draft, block, value);
    yield;
  }
}

/** Copy what would look different on the new base; the header changes last. */
export function* rebaseWork(
  store: ImageStore,
  { top, base }: ImageDeed & { do: 'rebase' },
): Generator<void> {
  const image = store.image(top);
  for (let block = 0; block < BLOCKS; block += 1) {
    const seen = store.read(top, block);
    const below = base ? store.read(base, block) : 0;
    if (!image.blocks.has(block) && seen !== below) {
      store.write(top, block, seen);
      yield;
    }
  }
  image.backing = base;
}

/** Write what the top shows of itself and the images in between down into the base. */
export function* commitWork(
  store: ImageStore,
  { top, base }: ImageDeed & { do: 'commit' },
): Generator<void> {
  for (let block = 0; block < BLOCKS; block += 1) {
    const value = store.readAbove(top, base, block);
    if (value === undefined) continue;
    store.write(base, block, value);
    yield;
  }
}
