import { lstat, readdir, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileCall } from '../tools/file-errors.ts';
import { openedByOthers } from '../tools/file-facts.ts';
import { ToolError } from '../tools/tool-error.ts';
import type { CallContext } from '../toolstacks/port.ts';
import { inside, openOwnFolder } from './own-folder.ts';

/** A file in a trash folder: of an operation, under the name that the manifest gives. */
export interface Trashed {
  readonly folder: string;
  readonly operation: string;
  readonly name: string;
}

/**
 * Remove a file from the trash for good; with the last one of an operation its manifest goes, and the
 * folders that are then empty. No link is followed, and nothing but a plain file is removed. One that
 * is gone is gone. Throws ToolError `refused`: something else stands in its place, or a process has it open.
 */
export async function purge(trashed: Trashed, { log }: CallContext): Promise<void> {
  const path = join(trashed.folder, trashed.operation, trashed.name);
  await fileCall(log, ['purge', path], () => purgeFile(trashed, path));
}

async function purgeFile({ folder, operation, name }: Trashed, path: string): Promise<void> {
  if (!isPlainName(operation) || !isPlainName(name)) throw foreign(path, 'is no name in the trash');
  const trash = await openOwnFolder(folder);
  if (typeof trash === 'string') {
    if (trash === 'is not there') return;
    throw foreign(folder, trash);
  }
  try {
    const own = await openOwnFolder(inside(trash, operation));
    if (typeof own === 'string') {
      if (own !== 'is not there') throw foreign(join(folder, operation), own);
    } else {
      try {
        await removeFile(inside(own, name), path);
        await own.sync();
        await removeEmptied(own.fd);
      } finally {
        await own.close();
      }
      await rmdir(inside(trash, operation)).catch(leaveFull);
      await trash.sync();
    }
  } finally {
    await trash.close();
  }
  await rmdir(folder).catch(leaveFull);
}

async function removeFile(at: string, path: string): Promise<void> {
  const found = await lstat(at).catch(() => undefined);
  if (!found) return;
  if (!found.isFile()) throw foreign(path, 'is no plain file');
  const pids = await openedByOthers(at);
  if (pids.length > 0) throw foreign(path, `is open in process ${pids.join(', ')}`);
  await unlink(at);
}

/** A manifest that has nothing more to name. */
async function removeEmptied(fd: number): Promise<void> {
  const folder = `/proc/self/fd/${fd}`;
  const left = await readdir(folder);
  if (left.length === 1 && left[0] === 'manifest.json') await unlink(join(folder, 'manifest.json'));
}

const isPlainName = (name: string): boolean =>
  name !== '' && name !== '.' && name !== '..' && name !== 'manifest.json' && !name.includes('/');

const foreign = (path: string, why: string): ToolError =>
  new ToolError('file', 'refused', `${path} ${why}`, { path });

function leaveFull(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST' && error.code !== 'ENOENT') throw error;
}
