import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { fileExists, fileSize, mustBePlain } from '../tools/file-facts.ts';
import { makeFolder, moveDurably, replaceFile, replacementOf } from '../tools/files.ts';
import type { CallContext } from '../toolstacks/port.ts';
import { dropDraft } from './draft.ts';
import { mustBeFolder } from './own-folder.ts';
import { badImage } from './step-error.ts';

/** What a trash folder holds: where each file came from, for `gc` and for whoever wants one back. */
export const Manifest = z.lazy(() =>
  z.object({
    operation: z.string(),
    files: z.array(
      z.object({
        /** Its name in the trash. */
        name: z.string(),
        /** Where it was. */
        from: z.string(),
        bytes: z.number(),
        /** Milliseconds since 1970. */
        at: z.number(),
      }),
    ),
  }),
);
export type Manifest = z.infer<typeof Manifest>;

/** The folder that holds all trash of the images in a folder. */
export const TRASH = '.domsnap-trash';

/** Where an operation's trash of a file goes. */
export const trashFolder = (path: string, operation: string): string =>
  join(dirname(path), TRASH, operation);

/** The manifest of a trash folder. */
export const manifestOf = (folder: string): string => join(folder, 'manifest.json');

/**
 * Move a file to the trash beside it, durably; the manifest names it before it moves. One that is
 * gone is fine, wherever it went. The caller has seen to it that no tool is at work on it.
 */
export async function trash(
  path: string,
  operation: string,
  nowMs: number,
  context: CallContext,
): Promise<void> {
  await dropDraft(path);
  if (!(await fileExists(path))) return;
  const name = await prepareTrash(path, operation, nowMs, context);
  await moveDurably(path, join(trashFolder(path, operation), name), context.log);
}

/**
 * Make the folder and the entry in its manifest ahead: what is left for the move itself is short enough
 * for a guest that stands still. Answers the file's name in the trash.
 */
export async function prepareTrash(
  path: string,
  operation: string,
  nowMs: number,
  { log }: CallContext,
): Promise<string> {
  const folder = trashFolder(path, operation);
  for (const one of [dirname(folder), folder]) {
    await makeFolder(one, 0o700, log);
    await mustBeFolder(one);
  }
  const manifest = await readManifest(folder, operation);
  const name = await freeName(folder, basename(path));
  if (manifest.files.some(file => file.name === name && file.from === path)) return name;
  const { sizeBytes } = await fileSize(path).catch(() => ({ sizeBytes: 0 }));
  const entry = { name, from: path, bytes: sizeBytes, at: nowMs };
  const files = [...manifest.files.filter(file => file.name !== name), entry];
  const text = `${JSON.stringify({ operation, files }, null, 2)}\n`;
  await replaceFile(manifestOf(folder), text, 0o600, log);
  return name;
}

/** The manifest, or an empty one. Throws StepError `bad-image` for one that nobody of ours wrote. */
export async function readManifest(folder: string, operation: string): Promise<Manifest> {
  const path = manifestOf(folder);
  if (!(await fileExists(path))) return { operation, files: [] };
  await mustBePlain(path);
  try {
    return Manifest.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    throw badImage(path, 'is not a manifest of domsnap');
  }
}

/** A file that was made anew after it went to the trash goes there again, under another name. */
async function freeName(folder: string, wanted: string): Promise<string> {
  const manifest = manifestOf(folder);
  const ours = [manifest, replacementOf(manifest)].map(path => basename(path));
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? wanted : `${wanted}.${n}`;
    if (!ours.includes(name) && !(await fileExists(join(folder, name)))) return name;
  }
}
