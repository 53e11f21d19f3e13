import { constants, unlinkSync } from 'node:fs';
import {
  chmod,
  type FileHandle,
  lchown,
  lstat,
  mkdir,
  open,
  rename,
  stat,
  unlink,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { CallSink } from './call-log.ts';
import { fileCall, fileError } from './file-errors.ts';
import { errnoOf, ToolError } from './tool-error.ts';

// Every function here throws ToolError: `missing` (the file or its folder), or `failed` with
// `detail.errno` (`EEXIST`, `ENOSPC`, `EXDEV`, `EACCES`, …). After a failed fsync nobody may try
// again: the kernel has marked the lost pages clean, and the second fsync would lie.

/** Makes an empty file under a name that did not exist, with exactly this mode; durable. */
export function createExclusive(path: string, mode: number, log: CallSink): Promise<void> {
  return fileCall(log, ['create-exclusive', path], () => createDurably(path, mode, ''));
}

/** As `createExclusive`, at the cost of no fsync: the file may be gone after a power cut. */
export function createFleeting(path: string, mode: number, log: CallSink): Promise<void> {
  return fileCall(log, ['create-fleeting', path], () => createFile(path, mode));
}

/** Writes a small file under a name that did not exist, with exactly this mode; durable. */
export function writeExclusive(
  path: string,
  text: string,
  mode: number,
  log: CallSink,
): Promise<void> {
  return fileCall(log, ['write-exclusive', path], () => createDurably(path, mode, text));
}

/** Under which name what takes a file's place is made: always the same, so that none is left for good. */
export const replacementOf = (path: string): string =>
  join(dirname(path), `.${basename(path)}.new`);

/**
 * Puts a small file in the place of the old one, if any: a crash leaves the old or the new, and perhaps what
 * the next call clears away. Two writers of one file are the caller's to keep apart.
 */
export function replaceFile(
  path: string,
  text: string,
  mode: number,
  log: CallSink,
): Promise<void> {
  return fileCall(log, ['replace', path], async () => {
    const draft = replacementOf(path);
    // Of a process that was killed.
    await unlink(draft).catch(() => undefined);
    await createSynced(draft, mode, text);
    await rename(draft, path);
    await syncFolder(dirname(path));
  });
}

/** Makes a folder with exactly this mode, durably, and those above it; one that exists is left as it is. */
export function makeFolder(path: string, mode: number, log: CallSink): Promise<void> {
  return fileCall(log, ['make-folder', path], async () => {
    const top = await makeFolders(path, mode);
    if (top === undefined) return;
    await chmod(path, mode);
    for (let made = resolve(path); ; made = dirname(made)) {
      await syncFolder(dirname(made));
      if (made === top || made === dirname(made)) return;
    }
  });
}

/** Answers the topmost folder that was made. */
async function makeFolders(path: string, mode: number): Promise<string | undefined> {
  try {
    await mkdir(path, { mode });
    return resolve(path);
  } catch (error) {
    // With `recursive`, Node has ENOENT for all that is wrong, a read-only file system too (24.21).
    if (!['ENOENT', 'EEXIST'].includes(errnoOf(error) ?? '')) throw error;
    return mkdir(path, { recursive: true, mode });
  }
}

/** Waits until the file's content is on disk. */
export function fsyncFile(path: string, log: CallSink): Promise<void> {
  return fileCall(log, ['fsync', path], () => using(path, constants.O_RDONLY, file => file.sync()));
}

/** Waits until the folder's entries are on disk: names made, moved or removed. */
export function fsyncFolder(path: string, log: CallSink): Promise<void> {
  return fileCall(log, ['fsync-folder', path], () => syncFolder(path));
}

/**
 * Moves a file or folder within one file system, durably: in a crash it has the old or the new name.
 * Never overwrites (`EEXIST`) and never copies (`EXDEV`). Two movers to one name are the caller's to
 * keep apart.
 */
export function moveDurably(from: string, to: string, log: CallSink): Promise<void> {
  return fileCall(log, ['move', from, to], async () => {
    await mustNotExist(to);
    await rename(from, to);
    // At once: a guest may be standing still for this.
    await Promise.all([...new Set([dirname(to), dirname(from)])].map(syncFolder));
  });
}

/** Puts a file in another's place within one folder, durably: a crash leaves the one or the other. */
export function replaceDurably(from: string, to: string, log: CallSink): Promise<void> {
  return fileCall(log, ['replace', from, to], async () => {
    await rename(from, to);
    await syncFolder(dirname(to));
  });
}

/** Removes a file for good, durably. For `gc` alone: everything else moves files to the trash. */
export function removeDurably(path: string, log: CallSink): Promise<void> {
  return fileCall(log, ['remove', path], async () => {
    await unlink(path);
    await syncFolder(dirname(path));
  });
}

/** Gives a file the owner and group of another; does nothing if it has them (then needs no root). */
export function chownLike(path: string, likePath: string, log: CallSink): Promise<void> {
  return fileCall(log, ['chown-like', path, likePath], async () => {
    const [now, wanted] = await Promise.all([stat(path), stat(likePath)]);
    if (now.uid === wanted.uid && now.gid === wanted.gid) return;
    await lchown(path, wanted.uid, wanted.gid);
  });
}

async function createDurably(path: string, mode: number, text: string): Promise<void> {
  await createSynced(path, mode, text);
  await syncFolder(dirname(path));
}

/** The content is on disk; the name may not be. */
function createSynced(path: string, mode: number, text: string): Promise<void> {
  return createFile(path, mode, async file => {
    if (text !== '') await file.writeFile(text);
    await file.sync();
  });
}

/** Makes the file and fills it; what could not be filled is taken away. */
async function createFile(
  path: string,
  mode: number,
  fill: (file: FileHandle) => Promise<void> = async () => {},
): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(path, flags, mode);
  try {
    // open(2) takes the umask off the mode.
    await file.chmod(mode);
    await fill(file);
  } catch (cause) {
    await unlink(path).catch(() => undefined);
    throw cause;
  } finally {
    await file.close();
  }
}

function syncFolder(path: string): Promise<void> {
  return using(path, constants.O_RDONLY | constants.O_DIRECTORY, folder => folder.sync());
}

async function using(
  path: string,
  flags: number,
  act: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags);
  try {
    await act(file);
  } finally {
    await file.close();
  }
}

async function mustNotExist(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  const detail = { operation: 'move', path, errno: 'EEXIST' };
  throw new ToolError('file', 'failed', `${path} exists and is not overwritten`, detail);
}

/** Removes a file that need not be there. Throws ToolError. */
export function removeIfThere(path: string): void {
  try {
    // Node's rmSync cannot name the error of a read-only file system (24.21: code '', errno -4094).
    unlinkSync(path);
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') throw fileError('remove', path, cause);
  }
}
