import { basename, dirname } from 'node:path';
import type { Volume } from '../../src/catalog/model.ts';
import { StepError } from '../../src/engine/step.ts';
import type { ImageDeed, Images, ImageView } from '../../src/storages/port.ts';
import type { CallContext } from '../../src/toolstacks/port.ts';
import { BLOCKS, digestOf, isVolume } from './image-store.ts';
import { commitWork, draftOf, extractWork, rebaseWork } from './image-tools.ts';
import type { Life } from './life.ts';
import { managerOf, onVolume } from './volume-tools.ts';

/** The images of the simulated host, as one engine's life sees them. */
export function simImages(life: Life): Images {
  const { world } = life;
  const { store } = world;
  const view = async (volume: Volume, context: CallContext, inUse = false): Promise<ImageView> => {
    await life.moment('ask view', context);
    if (!inUse) await idle(life, [volume.path], context);
    const file = store.files.get(volume.path);
    // qemu-img takes any file for a raw image, its length rounded up to whole sectors (7.2).
    if (file?.kind === 'file' && volume.format === 'raw') return rawView(volume, file.text);
    const image = store.image(volume);
    const { backing, blocks, tags } = image;
    const managed = isVolume(volume.path);
    if (!inUse && world.opened(volume.path) === 'written') throw inUseError(volume.path);
    return {
      volume,
      virtualBytes: BLOCKS * BLOCK_BYTES,
      allocatedBytes: blocks.size * BLOCK_BYTES,
      dataBytes: blocks.size * BLOCK_BYTES,
      backing,
      tags: [...tags.keys()],
      ...(managed ? { manager: managerOf(image, world.opened(volume.path) !== undefined) } : {}),
    };
  };
  const images: Images = {
    view,
    atOneMoment: () => images,
    settle: async () => {},
    async chain(volume, context, inUse) {
      const chain = store.chain(volume);
      return await Promise.all(chain.map(layer => view(layer, context, inUse)));
    },
    identity: async path => (store.files.has(path) ? path : undefined),
    exists: async path => [...store.files.keys()].some(p => p === path || p.startsWith(`${path}/`)),
    busy: async ({ path }) => world.busy(path),
    openedBy: async path => (world.opened(path) ? [1234] : []),
    freeBytes: async () => store.freeBlocks * BLOCK_BYTES,
    async digest(path, context) {
      await life.moment('ask digest', context);
      const file = store.files.get(path);
      if (file?.kind !== 'file') throw new StepError('missing', `${path} is not there`);
      return digestOf(file.text);
    },
    perform: (deed, context) => perform(life, deed, context),
    preview: deed => [{ tool: 'exec', command: [deed.do] }],
  };
  return images;
}

/** What a simulated block stands for. */
const BLOCK_BYTES = 64 * 1024;

function rawView(volume: Volume, text: string): ImageView {
  const bytes = Math.ceil(Buffer.byteLength(text) / 512) * 512;
  const sizes = { virtualBytes: bytes, allocatedBytes: bytes, dataBytes: bytes };
  return { volume, ...sizes, backing: null, tags: [] };
}

const inUseError = (path: string): StepError =>
  new StepError('in-use', `another process has ${path} open`);

/** A tool that outlived its engine is waited for: it does what the next one would do. */
const idle = (life: Life, paths: readonly string[], context: CallContext): Promise<void> =>
  life.until('wait for a tool', context, () => !paths.some(path => life.world.busy(path)));

async function perform(life: Life, deed: ImageDeed, context: CallContext): Promise<void> {
  const { store } = life.world;
  await life.moment(deed.do, context);
  switch (deed.do) {
    case 'createOverlay':
      return createOverlay(life, deed.image, deed.base, context);
    case 'createFile': {
      const found = store.files.get(deed.path);
      if (found && (found.kind !== 'file' || found.text !== '')) throw exists(deed.path);
      store.files.set(deed.path, { kind: 'file', text: '' });
      return life.moment(deed.do, context);
    }
    case 'tag':
    case 'applyTag':
    case 'dropTag':
      return isVolume(deed.image.path) ? onVolume(life, deed, context) : onTag(life, deed, context);
    case 'extractTag': {
      store.image(deed.image);
      mustHaveTag(life, deed.image, deed.tag);
      if (store.files.has(deed.to.path)) {
        const same = store.image(deed.to);
        const backing = store.image(deed.image).backing;
        if (same.backing?.path === backing?.path && same.tags.size === 0) return;
        throw exists(deed.to.path);
      }
      await runTool(life, deed.do, [deed.to.path], extractWork(store, deed), context);
      const draft = draftOf(deed.to);
      store.files.set(deed.to.path, store.image(draft));
      store.files.delete(draft.path);
      return life.moment(deed.do, context);
    }
    case 'rebase': {
      const { backing } = store.image(deed.top);
      if (backing?.path === deed.base?.path) return;
      mayWrite(life, deed.top);
      return runTool(life, deed.do, [deed.top.path], rebaseWork(store, deed), context);
    }
    case 'commit': {
      const below = store.chain(deed.top).slice(1);
      if (!below.some(({ path }) => path === deed.base.path)) {
        throw badImage(`${deed.top.path} does not stand on ${deed.base.path}`);
      }
      mayWrite(life, deed.top);
      mayWrite(life, deed.base);
      const paths = [deed.top.path, deed.base.path];
      return runTool(life, deed.do, paths, commitWork(store, deed), context);
    }
    case 'repoint': {
      const child = store.image(deed.child);
      store.image(deed.base);
      if (child.backing?.path === deed.base.path) return;
      if (!child.backing && !deed.fromNothing)
        throw badImage(`${deed.child.path} stands on nothing`);
      mayWrite(life, deed.child);
      child.backing = deed.base;
      return life.moment(deed.do, context);
    }
    case 'prepareTrash':
    case 'dropDraft':
      return;
    case 'trash':
      return trash(life, deed.path, deed.operation, context);
    case 'purge':
      store.files.delete(`${deed.folder}/${deed.operation}/${deed.name}`);
      return life.moment(deed.do, context);
  }
}

const exists = (path: string): StepError =>
  new StepError('exists', `${path} exists`, { retryable: false });
const badImage = (why: string): StepError => new StepError('bad-image', why, { retryable: false });

function mayWrite({ world }: Life, { path }: Volume): void {
  if (world.opened(path)) throw inUseError(path);
}

function mustHaveTag({ world }: Life, image: Volume, tag: string): void {
  if (world.store.image(image).tags.has(tag)) return;
  throw new StepError('missing', `${image.path} has no tag ${tag}`, { retryable: false });
}

async function createOverlay(
  life: Life,
  image: Volume,
  base: Volume,
  context: CallContext,
): Promise<void> {
  const { store } = life.world;
  store.chain(base);
  const found = store.files.get(image.path);
  if (found?.kind === 'image') {
    const empty = found.blocks.size === 0 && found.tags.size === 0;
    if (found.backing?.path !== base.path || !empty) throw exists(image.path);
    return;
  }
  if (found && found.text !== '') throw exists(image.path);
  store.files.set(image.path, { kind: 'file', text: '' });
  await life.moment('createOverlay', context);
  store.makeImage(image, base);
  await life.moment('createOverlay', context);
}

async function onTag(
  life: Life,
  { do: what, image, tag }: ImageDeed & { do: 'tag' | 'applyTag' | 'dropTag' },
  context: CallContext,
): Promise<void> {
  await idle(life, [image.path], context);
  const { blocks, tags } = life.world.store.image(image);
  mayWrite(life, image);
  if (what === 'tag') {
    if (tags.has(tag)) return;
    tags.set(tag, new Map(blocks));
  } else if (what === 'applyTag') {
    mustHaveTag(life, image, tag);
    const kept = [...(tags.get(tag) ?? [])];
    blocks.clear();
    for (const [block, value] of kept) blocks.set(block, value);
  } else {
    tags.delete(tag);
  }
  await life.moment(what, context);
}

/** Run a tool block by block, as a process of its own. */
async function runTool(
  life: Life,
  what: string,
  images: readonly string[],
  work: Iterator<void>,
  context: CallContext,
): Promise<void> {
  const { world } = life;
  await idle(life, images, context);
  const tool = { images, work, orphan: false };
  world.tools.push(tool);
  const end = () => {
    world.tools = world.tools.filter(other => other !== tool);
  };
  try {
    while (!work.next().done) await life.moment(what, context);
  } finally {
    // A tool that fails or is killed is gone; one whose engine died is chance's to decide upon.
    if (life.alive) end();
  }
  await life.moment(what, context);
}

async function trash(
  life: Life,
  path: string,
  operation: string,
  context: CallContext,
): Promise<void> {
  const { files } = life.world.store;
  await idle(life, [path], context);
  files.delete(`${path}.draft`);
  const file = files.get(path);
  if (!file) return;
  files.delete(path);
  files.set(`${dirname(path)}/.domsnap-trash/${operation}/${basename(path)}`, file);
  await life.moment('trash', context);
}
