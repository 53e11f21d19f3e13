import { open } from 'node:fs/promises';
import type { Volume } from '../catalog/model.ts';
import { StepError } from '../engine/step.ts';
import { fileCall } from '../tools/file-errors.ts';
import { fileExists, mustBePlain } from '../tools/file-facts.ts';
import { chownLike, createExclusive, moveDurably, replaceDurably } from '../tools/files.ts';
import { writeAll } from '../tools/vhd/bytes.ts';
import { childBytes } from '../tools/vhd/create-child.ts';
import { readVhdHead } from '../tools/vhd/head.ts';
import { openVhd, UNUSED, type VhdImage } from '../tools/vhd/image.ts';
import { pullUp, writeDown } from '../tools/vhd/merge.ts';
import { mendHeader, reparentDraft, reparentInPlace } from '../tools/vhd/reparent.ts';
import { VhdWriter } from '../tools/vhd/writer.ts';
import type { CallContext } from '../toolstacks/port.ts';
import { draftOf, dropDraft } from './draft.ts';
import { runLocked } from './locked-tool.ts';
import { copyArgv, sameVolume } from './overlay.ts';
import type { ImageView } from './port.ts';
import { badImage } from './step-error.ts';
import { mustBeClosed } from './vhd-view.ts';
import { viewChain, viewImage } from './view.ts';

// The deeds on differencing VHDs, by domsnap's own code: it runs in the engine's process and ends with it,
// so that no later life can meet it at work, and no lock is needed beside the domain's.

/**
 * Make a new empty differencing VHD: whole under its name, which did not exist, 0600, owned like its base,
 * durable. Where it exists already it must be this very one, empty.
 * Throws StepError `exists`, `no-space`, `missing`, `bad-image`.
 */
export async function createChild(
  image: Volume,
  base: Volume,
  nowMs: number,
  context: CallContext,
): Promise<void> {
  const { path } = image;
  const { log } = context;
  await viewChain(base, context, true);
  if (await fileExists(path)) return await mustBeChild(image, base, context);
  const bytes = await childBytes(path, base.path, nowMs);
  const draft = draftOf(path);
  await dropDraft(path);
  await createExclusive(draft, 0o600, log);
  await chownLike(draft, base.path, log);
  await fileCall(log, ['vhd-create', path, base.path], () => fill(draft, bytes));
  await moveDurably(draft, path, log);
}

async function fill(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await writeAll(file, bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function mustBeChild(image: Volume, base: Volume, context: CallContext): Promise<void> {
  const { path } = image;
  await mustBePlain(path);
  const foreign = (cause?: unknown) =>
    new StepError('exists', `${path} exists, and is not an empty child of ${base.path}`, {
      cause,
      retryable: false,
    });
  const view = await viewImage(image, context, true).catch(cause => {
    throw foreign(cause);
  });
  if (view.backing === null || !sameVolume(view.backing, base)) throw foreign();
  if (await holdsData(path)) throw foreign();
}

async function holdsData(path: string): Promise<boolean> {
  const image = await openVhd(path);
  try {
    return image.table.some(sector => sector !== UNUSED);
  } finally {
    await image.file.close();
  }
}

/**
 * Put `top` onto another base, or none, and copy into it what it would no longer see. It is done on a copy,
 * which takes the place of `top` when it is whole and on disk; its unique id stays, by which its own
 * children know it. Throws StepError `in-use`, `busy`, `no-space`, `missing`, `bad-image`.
 */
export async function rebaseChild(
  top: Volume,
  base: Volume | null,
  context: CallContext,
): Promise<void> {
  const chain = await viewChain(top, context);
  const now = chain[0]?.backing ?? null;
  if (base === null ? now === null : now !== null && sameVolume(now, base)) return;
  const below = base === null ? chain.slice(1) : between(chain, top, base);
  const draft = draftOf(top.path);
  const { log } = context;
  await dropDraft(top.path);
  try {
    await runLocked(copyArgv(top.path, draft), [top.path], context);
    await fileCall(log, ['vhd-pull-up', draft, base?.path ?? '', ...paths(below)], () =>
      withImages([draft], paths(below), async ([copy], layers) => {
        const writer = await pullUp(copy as VhdImage, layers, base === null, context);
        const parent = base && (await readVhdHead(base.path));
        await reparentDraft(copy as VhdImage, writer, top.path, parent);
      }),
    );
    await replaceDurably(draft, top.path, log);
  } catch (error) {
    await dropDraft(top.path);
    throw error;
  }
}

/**
 * Write what `top` and all between hold down into `base`, sector by sector. No undo: `base` changes from the
 * first byte. `top` keeps its data, so that a commit cut short is done again, to the end.
 * Throws StepError `in-use`, `busy`, `no-space`, `missing`, `bad-image`.
 */
export async function commitChild(top: Volume, base: Volume, context: CallContext): Promise<void> {
  const chain = await viewChain(top, context);
  const above = [top.path, ...paths(between(chain, top, base))];
  await mustBeClosed(base.path);
  await fileCall(context.log, ['vhd-coalesce', base.path, ...above], () =>
    withImages([base.path], above, async ([target], layers) => {
      await writeDown(target as VhdImage, layers, context);
    }),
  );
}

/**
 * Let `child` name another base, without looking at the content: for a base that was proved to hold
 * the same. Throws StepError `missing`, `bad-image` (another size than the old base, too).
 */
export async function repointChild(
  child: Volume,
  base: Volume,
  context: CallContext,
): Promise<void> {
  const spare = draftOf(child.path);
  await mendHeader(child.path, spare);
  const { backing } = await viewImage(child, context);
  await viewChain(base, context);
  if (backing === null) throw badImage(child.path, 'stands on nothing, and is complete by itself');
  if (!sameVolume(backing, base)) {
    const [own, parent] = [await readVhdHead(child.path), await readVhdHead(base.path)];
    if (own.footer.sizeBytes !== parent.footer.sizeBytes) {
      throw badImage(base.path, `has another size than ${child.path}, which is to stand on it`);
    }
    await dropDraft(child.path);
    await fileCall(context.log, ['vhd-reparent', child.path, base.path], () =>
      withImages([child.path], [], async ([image]) => {
        const writer = await VhdWriter.on(image as VhdImage);
        await reparentInPlace(image as VhdImage, writer, parent, spare);
      }),
    );
  }
  await dropDraft(child.path);
}

/** The layers of a chain that lie between its top and a base below it. */
function between(chain: readonly ImageView[], top: Volume, base: Volume): readonly ImageView[] {
  const at = chain.findIndex(({ volume }, index) => index > 0 && sameVolume(volume, base));
  if (at < 0) throw badImage(top.path, `does not stand on ${base.path}`);
  return chain.slice(1, at);
}

const paths = (views: readonly ImageView[]): string[] => views.map(({ volume }) => volume.path);

/** Open images to be written to and images to be read, and close them all. */
async function withImages(
  written: readonly string[],
  read: readonly string[],
  work: (written: VhdImage[], read: VhdImage[]) => Promise<void>,
): Promise<void> {
  const opened: VhdImage[] = [];
  try {
    for (const path of written) opened.push(await openVhd(path, 'r+'));
    for (const path of read) opened.push(await openVhd(path));
    await work(opened.slice(0, written.length), opened.slice(written.length));
  } finally {
    for (const { file } of opened) await file.close();
  }
}
