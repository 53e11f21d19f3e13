import type { Volume } from '../catalog/model.ts';
import { StepError } from '../engine/step.ts';
import { fileExists, mustBePlain } from '../tools/file-facts.ts';
import { chownLike, createExclusive, fsyncFile, moveDurably } from '../tools/files.ts';
import type { Argv } from '../tools/run.ts';
import type { CallContext } from '../toolstacks/port.ts';
import { draftOf } from './draft.ts';
import { runLocked } from './locked-tool.ts';
import { badImage } from './step-error.ts';
import { viewChain } from './view.ts';

/** An image that is made by copying. */
export interface NewImage {
  readonly to: Volume;
  /** The file whose owner it gets. */
  readonly like: string;
  /** What it is to stand on. */
  readonly backing: Volume | null;
  /** The command that writes it, to the path of its draft. */
  readonly copy: (draft: string) => Argv;
}

/**
 * Make a new qcow2 by a copying command. It is made under another name: under its own it is whole.
 * One that is there is taken for it where it stands on the same. Throws StepError `exists`, `no-space`,
 * `bad-image`.
 */
export async function copyIntoNewImage(image: NewImage, context: CallContext): Promise<void> {
  const { to, like, backing, copy } = image;
  const { log } = context;
  if (to.format !== 'qcow2') throw badImage(to.path, 'is to be extracted to, which makes a qcow2');
  if (await fileExists(to.path)) {
    await mustBePlain(to.path);
    const [found] = await viewChain(to, context);
    if (found?.backing?.path === backing?.path && found?.tags.length === 0) return;
    throw new StepError('exists', `${to.path} exists already`, { retryable: false });
  }
  const draft = draftOf(to.path);
  if (await fileExists(draft)) await mustBePlain(draft);
  else await createExclusive(draft, 0o600, log);
  await chownLike(draft, like, log);
  await runLocked(copy(draft), [to.path], context);
  await fsyncFile(draft, log);
  await moveDurably(draft, to.path, log);
}
