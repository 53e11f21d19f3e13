import type { Volume } from '../catalog/model.ts';
import { StepError } from '../engine/step.ts';
import { fileExists, fileSize, openedByOthers } from '../tools/file-facts.ts';
import { readVhdHead, type VhdHead } from '../tools/vhd/head.ts';
import type { ImageView } from './port.ts';
import { badImage } from './step-error.ts';

/** A VHD that stands on another: nobody but domsnap may open it. */
export const isDifferencing = ({
  volume,
  backing,
}: Pick<ImageView, 'volume' | 'backing'>): boolean => volume.format === 'vpc' && backing !== null;

/**
 * What a differencing VHD says of itself; undefined for one that is complete, which QEMU may be asked
 * about. `qemu-img info` says of a differencing one that it has no base (7.2).
 * Throws StepError `in-use`, `bad-image` (its parent is another file than the one it was made over, too).
 */
export async function differencingView(
  volume: Volume,
  inUse: boolean,
): Promise<ImageView | undefined> {
  const head = await readVhdHead(volume.path);
  if (head.footer.type !== 'differencing') return undefined;
  if (!inUse) await mustBeClosed(volume.path);
  const { allocatedBytes } = await fileSize(volume.path);
  return {
    volume,
    virtualBytes: head.footer.guestBytes,
    allocatedBytes,
    dataBytes: allocatedBytes,
    backing: { path: await parentPathOf(head), format: 'vpc' },
    tags: [],
  };
}

/**
 * Where the parent of a differencing VHD is: the first of its names under which there is a VHD with the
 * unique id that it was made over. Where there is nothing under any of them, the first.
 */
export async function parentPathOf({
  path,
  header,
  footer,
  parentPaths,
}: VhdHead): Promise<string> {
  const wrong: string[] = [];
  for (const candidate of parentPaths) {
    if (candidate === path || !(await fileExists(candidate))) continue;
    const parent = (await readVhdHead(candidate)).footer;
    if (parent.uuid !== header?.parentUuid)
      wrong.push(`${candidate} is another VHD than its parent`);
    else if (parent.sizeBytes !== footer.sizeBytes) wrong.push(`${candidate} has another size`);
    else return candidate;
  }
  const [first] = parentPaths;
  if (first === undefined) throw badImage(path, 'names no parent in a way that domsnap knows');
  if (wrong.length > 0) throw badImage(path, `has lost its parent: ${wrong.join('; ')}`);
  if (first === path) throw badImage(path, 'is its own base');
  return first;
}

/** There is no lock on a VHD that QEMU does not open; but whoever has it open is seen. */
export async function mustBeClosed(path: string): Promise<void> {
  const pids = await openedByOthers(path);
  if (pids.length === 0) return;
  throw new StepError('in-use', `${path} is open in process ${pids.join(', ')}`, {
    retryable: true,
  });
}
