import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Volume } from '../catalog/model.ts';
import { StepError } from '../engine/step.ts';
import { fileExists, fileSize, isRegularFile, mustBePlain } from '../tools/file-facts.ts';
import {
  chownLike,
  createExclusive,
  fsyncFile,
  fsyncFolder,
  replaceDurably,
} from '../tools/files.ts';
import { argvOf, pids, processStartTicks, terminate } from '../tools/process.ts';
import { dataBytes } from '../tools/qemu-img.ts';
import { commitArgv, createOverlayArgv, rebaseArgv } from '../tools/qemu-img-argv.ts';
import { type Argv, run } from '../tools/run.ts';
import type { CallContext } from '../toolstacks/port.ts';
import { draftOf, dropDraft } from './draft.ts';
import { runLocked, toolsDone } from './locked-tool.ts';
import { badImage } from './step-error.ts';
import { knownFormat, viewBase, viewChain, viewImage } from './view.ts';

/** `qemu-img create` takes 20 ms; a base on a slow network share takes longer to open. */
const CREATE_TIMEOUT_MS = 60_000;
/** An empty qcow2 of any size up to 8 TiB is shorter (196 616 bytes for 4 MiB, clusters of 64 KiB). */
const EMPTY_BYTES_MAX = 1024 * 1024;

/** The command that makes an overlay. */
export const createArgv = (image: Volume, base: Volume): Argv =>
  createOverlayArgv({ path: image.path, base: base.path, baseFormat: knownFormat(base) });

/** The command that moves an image to another base, its content kept. */
export function moveArgv(top: Volume, base: Volume | null, unsafe = false): Argv {
  const image = { path: top.path, format: knownFormat(top), unsafe };
  return base === null
    ? rebaseArgv({ ...image, newBase: null })
    : rebaseArgv({ ...image, newBase: base.path, newBaseFormat: knownFormat(base) });
}

/** The command that merges an image, and what lies between, down into a base. */
export const mergeArgv = (top: Volume, base: Volume): Argv =>
  commitArgv({ path: top.path, format: knownFormat(top), base: base.path });

/**
 * Make a new empty overlay: under a name that did not exist, 0600, owned like its base, durable.
 * Where it exists already it must be this very overlay, empty, or a try that was cut short.
 * Throws StepError `exists`, `no-space`, `missing`, `bad-image`.
 */
export async function createOverlay(
  image: Volume,
  base: Volume,
  context: CallContext,
): Promise<void> {
  if (image.format !== 'qcow2') throw badImage(image.path, 'is to be an overlay, which is a qcow2');
  const { log, signal } = context;
  // qemu-img opens what lies below the base: no layer may leave its format to be guessed.
  await viewBase(base, context, true);
  if (!(await foundOverlay(image, base, context))) {
    await run(createArgv(image, base), { timeoutMs: CREATE_TIMEOUT_MS, log, signal });
  }
  await chownLike(image.path, base.path, log);
  await fsyncFile(image.path, log);
  await fsyncFolder(dirname(image.path), log);
}

/** Is the overlay there, whole? Otherwise an empty file of ours is there when this returns. */
async function foundOverlay(image: Volume, base: Volume, context: CallContext): Promise<boolean> {
  const { path } = image;
  if (!(await fileExists(path))) {
    await createExclusive(path, 0o600, context.log);
    return false;
  }
  await mustBePlain(path);
  if (await isBlank(path)) return false;
  const foreign = (cause?: unknown) =>
    new StepError('exists', `${path} exists, and is not an empty overlay on ${base.path}`, {
      cause,
      retryable: false,
    });
  const view = await viewImage(image, context, true).catch(cause => {
    throw foreign(cause);
  });
  const { sizeBytes } = await fileSize(path);
  if (view.tags.length > 0) throw foreign();
  // qemu-img writes the base's name last (7.2, strace): without it, the try was cut short.
  if (view.backing === null && sizeBytes <= EMPTY_BYTES_MAX) {
    if ((await ownBytes(image, context)) === 0) return false;
  }
  if (view.backing === null || !sameVolume(view.backing, base)) throw foreign();
  if ((await ownBytes(image, context)) > 0) throw foreign();
  return true;
}

/** Empty, or zeros as a file system leaves them whose host died before the first sync. */
async function isBlank(path: string): Promise<boolean> {
  const { sizeBytes } = await fileSize(path);
  if (sizeBytes === 0) return true;
  return sizeBytes <= EMPTY_BYTES_MAX && (await readFile(path)).every(byte => byte === 0);
}

const ownBytes = (image: Volume, { log, signal }: CallContext): Promise<number> =>
  dataBytes(image.path, knownFormat(image), { log, signal, shared: true });

/**
 * Put `top` onto another base, or none, and copy into it what it would no longer see: the guest's
 * content stays. It is done on a copy, which takes the place of `top` when it is whole and on disk:
 * qemu-img lets tables reach the disk before the data that they lead to, and a host whose power fails
 * in between would have lost, in `top`, what the victims still hold (shown by cutting it).
 * Throws StepError `in-use`, `busy`, `no-space`, `missing`, `bad-image`.
 */
export async function rebase(
  top: Volume,
  base: Volume | null,
  context: CallContext,
): Promise<void> {
  const [head] = await viewChain(top, context);
  if (base) await viewBase(base, context);
  const now = head?.backing ?? null;
  if (base === null ? now === null : now !== null && sameVolume(now, base)) return;
  if (!(await isRegularFile(top.path))) {
    throw badImage(top.path, 'is no plain file: no copy of it can take its place');
  }
  const draft = draftOf(top.path);
  await dropDraft(top.path);
  try {
    await runLocked(copyArgv(top.path, draft), [top.path], context);
    await runLocked(moveArgv({ ...top, path: draft }, base), [top.path], context);
    await fsyncFile(draft, context.log);
    await replaceDurably(draft, top.path, context.log);
  } catch (error) {
    await dropDraft(top.path);
    throw error;
  }
}

/**
 * Take back what an earlier life's `rebase` has not put in place. Its tool may have outlived it, and would go on
 * for as long as it takes to copy the image: it is ended, and with it goes its lock. Any other tool that is at
 * work on the image only reads it, or is not for us to wait for.
 */
export async function giveUpCopy(path: string, context: CallContext): Promise<void> {
  const draft = draftOf(path);
  for (const pid of pids().filter(one => argvOf(one)?.includes(draft))) {
    const startTicks = processStartTicks(pid);
    if (startTicks === null) continue;
    await terminate(pid, startTicks, { graceMs: 2_000, log: context.log });
  }
  await dropDraft(path);
  const { signal } = context;
  const soon = AbortSignal.any([signal, AbortSignal.timeout(LOCK_GOES_MS)]);
  await toolsDone([path], { signal: soon }).catch(unlessBusy);
}

/** The file of a lock is taken for one that is about to be locked for half a second. */
const LOCK_GOES_MS = 1_000;

function unlessBusy(error: unknown): void {
  if (!(error instanceof StepError) || error.code !== 'busy') throw error;
}

/** The command that copies an image as it is, holes and all; where the file system can, no data moves. */
export const copyArgv = (from: string, to: string): Argv => {
  const how = ['--reflink=auto', '--sparse=always', '--preserve=mode,ownership'] as const;
  return ['cp', ...how, '--', from, to];
};

/**
 * Write what `top` and all between hold down into `base`. No undo: `base` changes from the first
 * byte. `top` keeps its data, so that a commit cut short is done again, to the end.
 * Throws StepError `in-use`, `busy`, `no-space`, `missing`, `bad-image`.
 */
export async function commit(top: Volume, base: Volume, context: CallContext): Promise<void> {
  const chain = await viewChain(top, context);
  if (!chain.slice(1).some(({ volume }) => sameVolume(volume, base))) {
    throw badImage(top.path, `does not stand on ${base.path}`);
  }
  await runLocked(mergeArgv(top, base), [top.path, base.path], context);
  await fsyncFile(base.path, context.log);
}

/**
 * Let `child` name another base, without looking at the content: for a base that was proved to hold
 * the same. Throws StepError `missing`, `bad-image` (another size than the old base, too).
 */
export async function repoint(
  child: Volume,
  base: Volume,
  context: CallContext,
  fromNothing = false,
): Promise<void> {
  const { backing } = await viewImage(child, context);
  const [wanted] = await viewBase(base, context);
  if (backing && sameVolume(backing, base)) return;
  if (backing === null && !fromNothing) {
    throw badImage(child.path, 'stands on nothing, and is complete by itself');
  }
  const old = await viewImage(backing ?? child, context).catch(error => {
    // The old base may be gone already; nothing else may be wrong with it.
    if (error instanceof StepError && error.code === 'missing') return undefined;
    throw error;
  });
  if (old && old.virtualBytes !== wanted?.virtualBytes) {
    const before = (backing ?? child).path;
    throw badImage(base.path, `has another size than ${before}, whose place it shall take`);
  }
  await runLocked(moveArgv(child, base, true), [child.path], context);
  await fsyncFile(child.path, context.log);
}

/** The same name and format. Names are compared as text: the records and the headers agree in them. */
export const sameVolume = (a: Volume, b: Volume): boolean =>
  a.path === b.path && a.format === b.format;
