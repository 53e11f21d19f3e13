import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { OPERATION_ID } from '../engine/system-clock.ts';
import { inside, openOwnFolder } from './own-folder.ts';
import { Manifest, TRASH } from './trash.ts';

/** A file in the trash that its manifest names, and that is what the manifest says: a plain file. */
export interface TrashedFile {
  /** The trash folder beside the images. */
  readonly folder: string;
  readonly operation: string;
  readonly name: string;
  /** Where it was. */
  readonly from: string;
  /** Milliseconds since 1970 at which it was moved here. */
  readonly at: number;
  /** What it occupies. */
  readonly bytes: number;
  /** `device:inode`, as open files are told apart. */
  readonly identity: string;
}

/** What a trash folder holds, and what in it nobody should touch. */
export interface TrashListing {
  readonly files: readonly TrashedFile[];
  readonly skipped: readonly { readonly path: string; readonly why: string }[];
}

/** More than any host has; what lies beyond waits for the next call. */
const FOLDERS_MAX = 10_000;
const MANIFEST_BYTES_MAX = 4 << 20;
const OPERATION = new RegExp(`^${OPERATION_ID}$`);

/**
 * Everything in the trash of a folder of images. Whoever may write to that folder may put anything in
 * the place of the trash: links are not followed, and only folders of our own are looked into. Changes
 * nothing.
 */
export async function listTrash(imageFolder: string): Promise<TrashListing> {
  const folder = join(imageFolder, TRASH);
  if (!(await lstat(folder).catch(() => undefined))) return { files: [], skipped: [] };
  const trash = await openOwnFolder(folder);
  if (typeof trash === 'string') return { files: [], skipped: [{ path: folder, why: trash }] };
  const files: TrashedFile[] = [];
  const skipped: { path: string; why: string }[] = [];
  try {
    const names = (await readdir(inside(trash))).sort();
    for (const operation of names.slice(0, FOLDERS_MAX)) {
      const listing = await listOperation(folder, trash, operation);
      files.push(...listing.files);
      skipped.push(...listing.skipped);
    }
  } finally {
    await trash.close();
  }
  return { files, skipped };
}

async function listOperation(
  folder: string,
  trash: FileHandle,
  operation: string,
): Promise<TrashListing> {
  const path = join(folder, operation);
  const skip = (why: string): TrashListing => ({ files: [], skipped: [{ path, why }] });
  if (!OPERATION.test(operation)) return skip('does not bear the id of an operation');
  const own = await openOwnFolder(inside(trash, operation));
  if (typeof own === 'string') return skip(own);
  try {
    const manifest = await manifestIn(own);
    if (typeof manifest === 'string') return skip(manifest);
    if (manifest.operation !== operation) return skip('has the manifest of another operation');
    const files: TrashedFile[] = [];
    const skipped: { path: string; why: string }[] = [];
    const named = new Map(manifest.files.map(file => [file.name, file]));
    for (const name of (await readdir(inside(own))).sort()) {
      if (name === 'manifest.json') continue;
      const entry = named.get(name);
      const found = await lstat(inside(own, name), { bigint: true }).catch(() => undefined);
      if (!found) continue;
      if (!entry) skipped.push({ path: join(path, name), why: 'is not in the manifest' });
      else if (!found.isFile()) skipped.push({ path: join(path, name), why: 'is no plain file' });
      else {
        const { from, at } = entry;
        const bytes = Number(found.blocks) * 512;
        const identity = `${found.dev}:${found.ino}`;
        files.push({ folder, operation, name, from, at, bytes, identity });
      }
    }
    return { files, skipped };
  } finally {
    await own.close();
  }
}

/** The manifest, or what is wrong with it. */
async function manifestIn(folder: FileHandle): Promise<Manifest | string> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(inside(folder, 'manifest.json'), flags).catch(() => undefined);
  if (!file) return 'has no manifest that can be read';
  try {
    const found = await file.stat();
    if (!found.isFile()) return 'has a manifest that is no plain file';
    if (found.size > MANIFEST_BYTES_MAX) return 'has a manifest that is too long';
    return Manifest.parse(JSON.parse(await file.readFile('utf8')));
  } catch {
    return 'has a manifest that domsnap did not write';
  } finally {
    await file.close();
  }
}
