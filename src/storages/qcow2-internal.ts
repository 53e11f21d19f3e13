import type { Volume } from '../catalog/model.ts';
import { StepError } from '../engine/step.ts';
import { fsyncFile } from '../tools/files.ts';
import { imageCheck } from '../tools/qemu-img.ts';
import {
  convertSnapshotArgv,
  repairArgv,
  snapshotApplyArgv,
  snapshotCreateArgv,
  snapshotDeleteArgv,
} from '../tools/qemu-img-argv.ts';
import type { Argv } from '../tools/run.ts';
import type { CallContext } from '../toolstacks/port.ts';
import { runLocked } from './locked-tool.ts';
import { copyIntoNewImage } from './new-image.ts';
import type { ImageView } from './port.ts';
import { badImage } from './step-error.ts';
import { knownFormat, viewChain } from './view.ts';

/** An internal snapshot of an image that no process has open. */
interface Tagged {
  readonly image: Volume;
  readonly tag: string;
}

const snapshotOf = ({ image, tag }: Tagged) => ({
  path: image.path,
  format: knownFormat(image),
  tag,
});

/** The commands of the deeds on tags. */
export const tagArgv = (tagged: Tagged): Argv => snapshotCreateArgv(snapshotOf(tagged));
export const applyArgv = (tagged: Tagged): Argv => snapshotApplyArgv(snapshotOf(tagged));
export const dropArgv = (tagged: Tagged): Argv => snapshotDeleteArgv(snapshotOf(tagged));

/** The command that copies a tag's content out; on `backing`, only what the image itself holds. */
export function extractArgv({ image, tag }: Tagged, to: string, backing: Volume | null): Argv {
  return convertSnapshotArgv({
    from: image.path,
    fromFormat: knownFormat(image),
    tag,
    to,
    ...(backing ? { backing: { path: backing.path, format: knownFormat(backing) } } : {}),
  });
}

/**
 * Take an internal snapshot; a tag that is there is the same one, since tags carry the operation.
 * Throws StepError `in-use`, `busy`, `no-space`, `missing`, `bad-image`.
 */
export async function tag(tagged: Tagged, context: CallContext): Promise<void> {
  // qemu-img would take a second one under the same tag without a word (7.2).
  if ((await head(tagged, context)).tags.includes(tagged.tag)) {
    return await mendIfCutShort(tagged, context);
  }
  await change(tagArgv(tagged), tagged, context);
}

/** Put the image back to a tag's content. Throws StepError `missing` where it has no such tag. */
export async function applyTag(tagged: Tagged, context: CallContext): Promise<void> {
  await mustHave(tagged, context);
  await change(applyArgv(tagged), tagged, context);
}

/** Delete an internal snapshot; one that is gone is gone. */
export async function dropTag(tagged: Tagged, context: CallContext): Promise<void> {
  if (!(await head(tagged, context)).tags.includes(tagged.tag)) {
    return await mendIfCutShort(tagged, context);
  }
  await change(dropArgv(tagged), tagged, context);
}

/**
 * Copy a tag's content into a new qcow2 that stands on the image's own base, if it has one.
 * Throws StepError `exists`, `missing`, `no-space`, `bad-image`.
 */
export async function extractTag(tagged: Tagged, to: Volume, context: CallContext): Promise<void> {
  const { backing } = await mustHave(tagged, context);
  const copy = (draft: string) => extractArgv(tagged, draft, backing);
  await copyIntoNewImage({ to, like: tagged.image.path, backing, copy }, context);
}

async function head({ image }: Tagged, context: CallContext): Promise<ImageView> {
  // The whole chain: qemu-img opens it all, and no layer may leave its format to be guessed.
  const [view] = await viewChain(image, context);
  return view as ImageView;
}

async function mustHave(tagged: Tagged, context: CallContext): Promise<ImageView> {
  const view = await head(tagged, context);
  if (view.tags.includes(tagged.tag)) return view;
  const message = `${tagged.image.path} has no internal snapshot ${tagged.tag}`;
  throw new StepError('missing', message, { retryable: false });
}

async function change(argv: Argv, tagged: Tagged, context: CallContext): Promise<void> {
  const { image } = tagged;
  await mendIfCutShort(tagged, context);
  await runLocked(argv, [image.path], context);
  await fsyncFile(image.path, context.log);
  // What was counted behind the image's end is seen now that the image has grown.
  await mendIfCutShort(tagged, context);
}

/**
 * Where qemu-img or QEMU may have died in the midst of taking, applying or deleting a tag, the image's content is
 * right and its reference counts may not be: what no table names is counted still, and is never given back, and
 * flags contradict their counts, which `qemu-img check` calls errors (QEMU 7.2; measured in 22 of
 * 100 ends of one `snapshot -d`, also without a power cut). Throws StepError `bad-image` where that cannot be mended.
 */
async function mendIfCutShort({ image }: Tagged, context: CallContext): Promise<void> {
  if (!context.again) return;
  const { log, signal } = context;
  const format = knownFormat(image);
  const isSound = async () => {
    const found = await imageCheck(image.path, format, { log, signal, shared: false });
    return !found.supported || (found.corruptions === 0 && found.leaks === 0);
  };
  if (await isSound()) return;
  await runLocked(repairArgv({ path: image.path, format }), [image.path], context);
  await fsyncFile(image.path, log);
  if (!(await isSound())) throw badImage(image.path, 'has errors that qemu-img does not mend');
}
