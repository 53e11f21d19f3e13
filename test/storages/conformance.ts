import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Volume } from '../../src/catalog/model.ts';
import type { ImageDeed, Images } from '../../src/storages/port.ts';
import type { CallContext } from '../../src/toolstacks/port.ts';

/** Sixteen blocks of 64 KiB, each filled with one byte value: what a guest would see. */
export type Content = readonly number[];
export const BLOCKS = 16;

/** A place where images live, and a way to write and read as a guest would. */
export interface ImagesWorld {
  readonly images: Images;
  readonly folder: string;
  /** A new image without a base, of BLOCKS blocks of zeros. */
  makeImage(volume: Volume): Promise<void>;
  write(volume: Volume, block: number, value: number): Promise<void>;
  read(volume: Volume): Promise<Content>;
  /** A file that is no image. */
  makeFile(path: string, text: string): Promise<void>;
  close(): Promise<void>;
}

export const contextFor = (signal = new AbortController().signal): CallContext => ({
  key: 'op1/0/test',
  signal,
  log() {},
  progress() {},
});

export const filled = (values: Readonly<Record<number, number>>): Content =>
  Array.from({ length: BLOCKS }, (_, block) => values[block] ?? 0);

/** In which formats the images of a run are. */
export interface Formats {
  readonly base: string;
  readonly layer: string;
}

const USUAL: Formats = { base: 'raw', layer: 'qcow2' };

/** What every implementation of Images must do, the simulated one too. */
export function imagesConformance(
  name: string,
  makeWorld: () => Promise<ImagesWorld>,
  { base: baseFormat, layer }: Formats = USUAL,
): void {
  describe(`${name} as Images`, { timeout: 30_000 }, () => {
    let world: ImagesWorld;
    /** Only qcow2 has internal snapshots. */
    const tagTest = test.runIf(layer === 'qcow2');
    const at = (file: string, format = layer): Volume => ({
      path: `${world.folder}/${file}`,
      format,
    });
    const perform = (deed: ImageDeed) => world.images.perform(deed, contextFor());
    const twice = async (deed: ImageDeed) => {
      await perform(deed);
      await perform(deed);
    };
    const backingOf = async (volume: Volume) =>
      (await world.images.view(volume, contextFor())).backing;
    const tagsOf = async (volume: Volume) => (await world.images.view(volume, contextFor())).tags;

    beforeEach(async () => {
      world = await makeWorld();
    });
    afterEach(() => world.close());

    /** base ← middle ← top, each with one block of its own and one that the next one covers. */
    async function threeLayers() {
      const [base, middle, top] = [at('base', baseFormat), at('middle'), at('top')] as const;
      await world.makeImage(base);
      await world.write(base, 0, 10);
      await world.write(base, 1, 11);
      await perform({ do: 'createOverlay', image: middle, base });
      await world.write(middle, 1, 21);
      await world.write(middle, 2, 22);
      await perform({ do: 'createOverlay', image: top, base: middle });
      await world.write(top, 2, 32);
      await world.write(top, 3, 33);
      return { base, middle, top, seen: filled({ 0: 10, 1: 21, 2: 32, 3: 33 }) };
    }

    async function tagged(base: Volume | null = null) {
      const image = at('tagged');
      if (base) await perform({ do: 'createOverlay', image, base });
      else await world.makeImage(image);
      await world.write(image, 0, 1);
      await perform({ do: 'tag', image, tag: 'op1-a' });
      await world.write(image, 0, 2);
      await world.write(image, 5, 5);
      return image;
    }

    test('an overlay shows its base, names it, and may be made twice', async () => {
      const [base, image] = [at('base', baseFormat), at('o')];
      await world.makeImage(base);
      await world.write(base, 3, 7);
      await twice({ do: 'createOverlay', image, base });
      expect(await world.read(image)).toEqual(filled({ 3: 7 }));
      expect(await backingOf(image)).toEqual(base);
    });

    test('an overlay is never made onto a foreign file', async () => {
      const [base, image] = [at('base'), at('o')];
      await world.makeImage(base);
      await world.makeFile(image.path, 'somebody else wrote this');
      await expect(perform({ do: 'createOverlay', image, base })).rejects.toMatchObject({
        name: 'StepError',
        code: 'exists',
      });
    });

    test('an overlay that already holds data is not taken for an empty one', async () => {
      const { top, middle, seen } = await threeLayers();
      await expect(
        perform({ do: 'createOverlay', image: top, base: middle }),
      ).rejects.toMatchObject({ code: 'exists' });
      expect(await world.read(top)).toEqual(seen);
    });

    test('an overlay on another base is a foreign file', async () => {
      const [base, other, image] = [at('base'), at('other'), at('o')];
      await world.makeImage(base);
      await world.makeImage(other);
      await perform({ do: 'createOverlay', image, base: other });
      await expect(perform({ do: 'createOverlay', image, base })).rejects.toMatchObject({
        code: 'exists',
      });
      expect(await backingOf(image)).toEqual(other);
    });

    test('an overlay needs its base', async () => {
      const deed = { do: 'createOverlay', image: at('o'), base: at('nowhere') } as const;
      await expect(perform(deed)).rejects.toMatchObject({ code: 'missing' });
      expect(await world.images.exists(at('o').path)).toBe(false);
    });

    test('a chain is listed head first', async () => {
      const { base, middle, top } = await threeLayers();
      const chain = await world.images.chain(top, contextFor());
      expect(chain.map(({ volume }) => volume)).toEqual([top, middle, base]);
    });

    test('an image that is not there is missing', async () => {
      await expect(world.images.view(at('nowhere'), contextFor())).rejects.toMatchObject({
        name: 'StepError',
        code: 'missing',
      });
    });

    test('an empty file may be made twice, but never over content', async () => {
      const base = at('base');
      await world.makeImage(base);
      const deed = { do: 'createFile', path: `${world.folder}/memory`, like: base.path } as const;
      await twice(deed);
      expect(await world.images.digest(deed.path, contextFor())).toMatchObject({ bytes: 0 });
      await world.makeFile(`${world.folder}/full`, 'memory of somebody');
      await expect(perform({ ...deed, path: `${world.folder}/full` })).rejects.toMatchObject({
        code: 'exists',
      });
    });

    tagTest('a tag is taken once, however often it is asked for', async () => {
      const image = await tagged();
      await perform({ do: 'tag', image, tag: 'op1-a' });
      expect(await tagsOf(image)).toEqual(['op1-a']);
      await perform({ do: 'applyTag', image, tag: 'op1-a' });
      expect(await world.read(image)).toEqual(filled({ 0: 1 }));
    });

    tagTest('applying a tag puts its content back, and leaves the tag', async () => {
      const image = await tagged();
      await twice({ do: 'applyTag', image, tag: 'op1-a' });
      expect(await world.read(image)).toEqual(filled({ 0: 1 }));
      expect(await tagsOf(image)).toEqual(['op1-a']);
    });

    tagTest('a tag that is not there cannot be applied', async () => {
      const image = await tagged();
      await expect(perform({ do: 'applyTag', image, tag: 'op9-z' })).rejects.toMatchObject({
        code: 'missing',
      });
      expect(await world.read(image)).toEqual(filled({ 0: 2, 5: 5 }));
    });

    tagTest('dropping a tag leaves the content, and may be done twice', async () => {
      const image = await tagged();
      await twice({ do: 'dropTag', image, tag: 'op1-a' });
      expect(await tagsOf(image)).toEqual([]);
      expect(await world.read(image)).toEqual(filled({ 0: 2, 5: 5 }));
    });

    tagTest('extracting a tag makes an image of its own, and may be done twice', async () => {
      const [image, to] = [await tagged(), at('extracted')];
      await twice({ do: 'extractTag', image, tag: 'op1-a', to });
      expect(await world.read(to)).toEqual(filled({ 0: 1 }));
      expect(await tagsOf(to)).toEqual([]);
      expect(await world.read(image)).toEqual(filled({ 0: 2, 5: 5 }));
      expect(await tagsOf(image)).toEqual(['op1-a']);
    });

    tagTest('a tag extracted from an overlay stands on the same base', async () => {
      const base = at('base', baseFormat);
      await world.makeImage(base);
      await world.write(base, 9, 9);
      const [image, to] = [await tagged(base), at('extracted')];
      await perform({ do: 'extractTag', image, tag: 'op1-a', to });
      expect(await world.read(to)).toEqual(filled({ 0: 1, 9: 9 }));
      expect(await backingOf(to)).toEqual(base);
    });

    tagTest('a tag is never extracted over a foreign file', async () => {
      const [image, to] = [await tagged(), at('extracted')];
      await world.makeImage(to);
      await perform({ do: 'tag', image: to, tag: 'theirs' });
      await expect(perform({ do: 'extractTag', image, tag: 'op1-a', to })).rejects.toMatchObject({
        code: 'exists',
      });
    });

    test('a rebase past an image keeps what the guest sees, and leaves the image alone', async () => {
      const { base, middle, top, seen } = await threeLayers();
      const before = await world.read(middle);
      await twice({ do: 'rebase', top, base });
      expect(await world.read(top)).toEqual(seen);
      expect(await backingOf(top)).toEqual(base);
      expect(await world.read(middle)).toEqual(before);
    });

    test('a rebase onto nothing makes an image complete', async () => {
      const { base, middle, top, seen } = await threeLayers();
      await twice({ do: 'rebase', top, base: null });
      await perform({ do: 'trash', path: base.path, operation: 'op1' });
      await perform({ do: 'trash', path: middle.path, operation: 'op1' });
      expect(await world.read(top)).toEqual(seen);
      expect(await backingOf(top)).toBeNull();
    });

    test('a commit writes all layers down, keeps the top’s data, and may be done twice', async () => {
      const { base, top, seen } = await threeLayers();
      await twice({ do: 'commit', top, base });
      expect(await world.read(base)).toEqual(seen);
      expect(await world.read(top)).toEqual(seen);
    });

    test('a commit into an image that is not below is refused', async () => {
      const { top, base } = await threeLayers();
      const other = at('other');
      await world.makeImage(other);
      await expect(perform({ do: 'commit', top, base: other })).rejects.toMatchObject({
        code: 'bad-image',
      });
      expect(await world.read(base)).toEqual(filled({ 0: 10, 1: 11 }));
    });

    test('a child is pointed to an image that has its base’s content', async () => {
      const { base, middle, top, seen } = await threeLayers();
      await perform({ do: 'commit', top: middle, base });
      await twice({ do: 'repoint', child: top, base });
      expect(await backingOf(top)).toEqual(base);
      expect(await world.read(top)).toEqual(seen);
    });

    test('a complete image is not pointed to anything', async () => {
      const [image, base] = [at('image'), at('base')];
      await world.makeImage(image);
      await world.makeImage(base);
      await expect(perform({ do: 'repoint', child: image, base })).rejects.toMatchObject({
        code: 'bad-image',
      });
    });

    test('trash is moved away, and may be moved twice', async () => {
      const image = at('image');
      await world.makeImage(image);
      await twice({ do: 'trash', path: image.path, operation: 'op1' });
      expect(await world.images.exists(image.path)).toBe(false);
    });

    tagTest('a deed that is called off before it begins does nothing', async () => {
      const image = await tagged();
      const called = new AbortController();
      called.abort();
      await expect(
        world.images.perform({ do: 'applyTag', image, tag: 'op1-a' }, contextFor(called.signal)),
      ).rejects.toMatchObject({ name: 'StepError' });
      expect(await world.read(image)).toEqual(filled({ 0: 2, 5: 5 }));
    });

    test('no tool is at work when a deed has returned', async () => {
      const { base, top } = await threeLayers();
      await perform({ do: 'commit', top, base });
      expect(await world.images.busy(top)).toBe(false);
      expect(await world.images.busy(base)).toBe(false);
    });

    test('a digest changes with the content', async () => {
      const path = `${world.folder}/file`;
      await world.makeFile(path, 'abc');
      const first = await world.images.digest(path, contextFor());
      await perform({ do: 'trash', path, operation: 'op1' });
      await world.makeFile(path, 'abd');
      const second = await world.images.digest(path, contextFor());
      expect(first.bytes).toBe(3);
      expect(second.sha256).not.toBe(first.sha256);
    });

    test('every deed has a preview', () => {
      const [image, base] = [at('image'), at('base')];
      const deeds: ImageDeed[] = [
        { do: 'createOverlay', image, base },
        { do: 'createFile', path: image.path, like: base.path },
        { do: 'tag', image, tag: 't' },
        { do: 'applyTag', image, tag: 't' },
        { do: 'dropTag', image, tag: 't' },
        { do: 'extractTag', image, tag: 't', to: base },
        { do: 'rebase', top: image, base: null },
        { do: 'commit', top: image, base },
        { do: 'repoint', child: image, base },
        { do: 'trash', path: image.path, operation: 'op1' },
      ];
      for (const deed of deeds) expect(world.images.preview(deed).length).toBeGreaterThan(0);
    });
  });
}
