import { dirname, resolve } from 'node:path';
import type { Volume } from '../catalog/model.ts';
import { StepError } from '../engine/step.ts';
import { fileExists, fileSize, isRegularFile } from '../tools/file-facts.ts';
import { type ImageFormat, imageFormat } from '../tools/image-format.ts';
import { imageMark } from '../tools/image-mark.ts';
import { readQcow2Header } from '../tools/qcow2-header.ts';
import { imageInfo } from '../tools/qemu-img.ts';
import { READS_ZEROS } from '../tools/vhd/not-for-qemu.ts';
import type { CallContext } from '../toolstacks/port.ts';
import { type AskLvm, askLvm, viewLogicalVolume } from './lvm-view.ts';
import type { ImageView } from './port.ts';
import { asStep, badImage } from './step-error.ts';
import { differencingView, isDifferencing } from './vhd-view.ts';

/** More layers than any domain starts with, few enough to read in a few seconds. */
const LAYERS_MAX = 200;

/** The format, if it is one that domsnap names to QEMU. Throws StepError `bad-image`. */
export function knownFormat({ path, format }: Volume): ImageFormat {
  const known = imageFormat.safeParse(format);
  if (known.success) return known.data;
  throw badImage(path, `has a format that domsnap does not know: ${format}`);
}

/**
 * What the header of one image says; nothing below it is opened. A plan asks this of every image of a
 * domain, so the two usual formats are read here (0.3 ms); the others are asked of qemu-img (12 ms).
 * `inUse`: a running domain has it open, so it is read in spite of the domain's lock.
 * `dataBytes` is what the file occupies: an estimate from above, which costs nothing.
 * Throws StepError `missing`, `bad-image`, `in-use`.
 */
export async function viewImage(
  volume: Volume,
  context: CallContext,
  inUse = false,
  ask: AskLvm = askLvm,
): Promise<ImageView> {
  const format = knownFormat(volume);
  return await asStep(async () => {
    if (format === 'raw') {
      const found = await viewLogicalVolume(volume, context, ask);
      if (found) return found;
    }
    if (!(await fileExists(volume.path))) {
      throw new StepError('missing', `${volume.path} is not there`, { retryable: false });
    }
    // Before any tool sees it: QEMU takes a differencing VHD for a complete one.
    if (format === 'vpc' && (await isRegularFile(volume.path))) {
      const view = await differencingView(volume, inUse);
      if (view) return view;
    }
    // Only the tool asks the kernel whether somebody else holds the image.
    if (!inUse || !(await isRegularFile(volume.path))) {
      return byTool(volume, format, context, inUse);
    }
    if (format === 'raw') return rawView(volume);
    return format === 'qcow2' ? qcow2View(volume) : byTool(volume, format, context, inUse);
  });
}

/** A raw image is what its file is: nothing in it is a header, whatever a guest wrote there. */
async function rawView(volume: Volume): Promise<ImageView> {
  const { sizeBytes, allocatedBytes } = await fileSize(volume.path);
  const mark = await imageMark(volume.path);
  const sizes = { virtualBytes: sizeBytes, allocatedBytes, dataBytes: allocatedBytes };
  return { volume, ...sizes, backing: null, tags: [], mark };
}

async function qcow2View(volume: Volume): Promise<ImageView> {
  const { path } = volume;
  const header = await readQcow2Header(path);
  if (header.corrupt) throw badImage(path, 'is marked as corrupt');
  if (header.dataFile) throw badImage(path, 'keeps its data in another file');
  const { allocatedBytes } = await fileSize(path);
  const { backingFile, backingFormat } = header;
  // QEMU takes "protocol:…" for something else than a file; so does this.
  const isFile = backingFile !== null && !/^[A-Za-z0-9+.-]+:/.test(backingFile);
  if (backingFile !== null && !isFile) throw badImage(path, 'has a base that is not a plain file');
  const known = imageFormat.safeParse(backingFormat);
  const backing =
    backingFile === null
      ? null
      : {
          path: resolve(dirname(path), backingFile),
          format: known.success ? known.data : null,
        };
  return {
    volume,
    virtualBytes: header.virtualSizeBytes,
    allocatedBytes,
    dataBytes: allocatedBytes,
    backing: backingOf({ path, backing }),
    tags: header.tags,
  };
}

async function byTool(
  volume: Volume,
  format: ImageFormat,
  { log, signal }: CallContext,
  inUse: boolean,
): Promise<ImageView> {
  const info = await imageInfo(volume.path, format, { log, signal, shared: inUse });
  if (info.corrupt) throw badImage(volume.path, 'is marked as corrupt');
  if (info.dataFile !== null) throw badImage(volume.path, 'keeps its data in another file');
  const allocatedBytes = info.allocatedBytes ?? info.virtualSizeBytes;
  return {
    volume,
    virtualBytes: info.virtualSizeBytes,
    allocatedBytes,
    dataBytes: allocatedBytes,
    backing: backingOf(info),
    tags: info.snapshots.map(({ tag }) => tag),
  };
}

/** The image and its bases, head first, each by the format that the one above it names. */
export async function viewChain(
  volume: Volume,
  context: CallContext,
  inUse = false,
  ask: AskLvm = askLvm,
): Promise<readonly ImageView[]> {
  const chain: ImageView[] = [];
  for (let next: Volume | null = volume; next; ) {
    const layer: ImageView = await viewImage(next, context, inUse, ask);
    const above = chain.at(-1)?.volume;
    if (above && above.format !== 'vpc' && isDifferencing(layer)) {
      throw badImage(above.path, `stands on ${layer.volume.path}, which ${READS_ZEROS}`);
    }
    chain.push(layer);
    next = layer.backing;
    const { path } = layer.volume;
    if (next && chain.some(seen => seen.volume.path === next?.path)) {
      throw badImage(path, 'is its own base, directly or not');
    }
    if (chain.length >= LAYERS_MAX) throw badImage(path, `is below ${LAYERS_MAX} others`);
  }
  return chain;
}

/** The same of an image on which one is to stand that QEMU opens: no differencing VHD may be below that. */
export async function viewBase(
  base: Volume,
  context: CallContext,
  inUse = false,
): Promise<readonly ImageView[]> {
  const chain = await viewChain(base, context, inUse);
  const [first] = chain;
  if (first && isDifferencing(first)) throw badImage(base.path, READS_ZEROS);
  return chain;
}

function backingOf({
  path,
  backing,
}: {
  readonly path: string;
  readonly backing: { readonly path: string; readonly format: string | null } | null;
}): Volume | null {
  if (backing === null) return null;
  if (backing.format === null) {
    throw badImage(path, 'does not name the format of its base, and domsnap does not guess');
  }
  if (!backing.path.startsWith('/')) throw badImage(path, 'has a base that is not a plain file');
  return { path: backing.path, format: backing.format };
}
