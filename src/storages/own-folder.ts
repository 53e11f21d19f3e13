import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { badImage } from './step-error.ts';

/** A folder of our own, held open so that nobody can put another in its place; or why it is none. */
export async function openOwnFolder(path: string): Promise<FileHandle | string> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  let folder: FileHandle;
  try {
    folder = await open(path, flags);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return 'is not there';
    if (code === 'ENOTDIR' || code === 'ELOOP') return 'is a link, or no folder';
    return `cannot be looked into (${code})`;
  }
  const { uid, mode } = await folder.stat();
  const ours = uid === process.geteuid?.();
  if (ours && (mode & 0o022) === 0) return folder;
  await folder.close();
  return ours ? 'may be written to by others' : 'belongs to another user';
}

/** The path of a name in a folder that is held open: proc(5), `/proc/self/fd`. */
export const inside = (folder: FileHandle, name = ''): string =>
  `/proc/self/fd/${folder.fd}/${name}`;

/**
 * A folder that is about to be moved into must be one: whoever may write to the folder above could have
 * laid a link there, and have files carried to wherever he likes. Throws StepError `bad-image`.
 */
export async function mustBeFolder(path: string): Promise<void> {
  const found = await lstat(path);
  if (!found.isDirectory()) throw badImage(path, 'is a link, or no folder: it is not moved into');
  if ((found.mode & 0o022) !== 0) throw badImage(path, 'may be written to by others');
}
