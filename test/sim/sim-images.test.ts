import { expect, test } from 'vitest';
import { contextFor, type ImagesWorld, imagesConformance } from '../storages/conformance.ts';
import { Life } from './life.ts';
import { simImages } from './sim-images.ts';
import { World } from './world.ts';

async function simulated(): Promise<ImagesWorld> {
  const world = new World();
  const { store } = world;
  return {
    images: simImages(new Life(world)),
    folder: '/images',
    makeImage: async volume => void store.makeImage(volume, null),
    write: async (volume, block, value) => store.write(volume, block, value),
    read: async volume => store.content(volume),
    makeFile: async (path, text) => void store.files.set(path, { kind: 'file', text }),
    close: async () => {},
  };
}

imagesConformance('the simulated host', simulated);

test('nothing that a dead engine still runs can touch the simulated host', async () => {
  const world = new World();
  world.faults = [{ at: 1, kind: 'engine-dies' }];
  const life = new Life(world);
  const image = { path: '/images/a', format: 'qcow2' };
  world.store.makeImage(image, null);
  const deed = { do: 'tag', image, tag: 't' } as const;
  const images = simImages(life);
  await expect(images.perform(deed, contextFor())).rejects.toThrow('engine-dies');
  await expect(images.perform(deed, contextFor())).rejects.toThrow('dead');
  expect(world.store.image(image).tags.size).toBe(0);
});
