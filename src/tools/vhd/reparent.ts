import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fsyncFolder } from '../files.ts';
import { openFile, readUpTo, SECTOR_BYTES, writeAll } from './bytes.ts';
import { parentWords } from './create-child.ts';
import { changedFooter } from './footer.ts';
import { readVhdHead, type VhdHead } from './head.ts';
import { HEADER_BYTES, type LocatorEntry, parseHeader, withParent } from './header.ts';
import type { VhdImage } from './image.ts';
import { locatorsFor } from './parent-locator.ts';
import type { VhdWriter } from './writer.ts';

/**
 * Let an image that nobody relies on yet name another parent, or none: it is then complete. `path`: where
 * it is going to be, as its parent is named from there. Ends what the writer has begun; all is on disk.
 */
export async function reparentDraft(
  { head, file }: VhdImage,
  writer: VhdWriter,
  path: string,
  parent: VhdHead | null,
): Promise<void> {
  const { header, footer } = head;
  if (!header) throw new Error('a fixed disk has no parent to change');
  const words = parent ? await parentWords(parent, await appendNames(writer, path, parent)) : null;
  const own = changedFooter(footer, { type: parent ? 'differencing' : 'dynamic' });
  await writeAll(file, withParent(header.bytes, words), footer.headerAt);
  await writeAll(file, own, 0);
  await writer.finish(own);
}

/**
 * Let an image in use by its records name another parent. Its new names are on disk before the header leads
 * to them; and the header is in the file `spare` before it is written in its place, so that a power
 * cut in the middle of that leaves one of the two whole. Done again, it ends what was begun.
 */
export async function reparentInPlace(
  { head, file }: VhdImage,
  writer: VhdWriter,
  parent: VhdHead,
  spare: string,
): Promise<void> {
  const { header, footer, path } = head;
  if (!header) throw new Error('a fixed disk has no parent to change');
  const words = await parentWords(parent, await appendNames(writer, path, parent));
  await writer.finish();
  const bytes = withParent(header.bytes, words);
  await keep(spare, bytes);
  await writeAll(file, bytes, footer.headerAt);
  await file.sync();
}

async function appendNames(
  writer: VhdWriter,
  path: string,
  parent: VhdHead,
): Promise<LocatorEntry[]> {
  const entries: LocatorEntry[] = [];
  for (const { platform, bytes } of locatorsFor(path, parent.path)) {
    entries.push({ platform, at: await writer.append(bytes), lengthBytes: bytes.length });
  }
  return entries;
}

async function keep(spare: string, bytes: Buffer): Promise<void> {
  const file = await open(spare, 'wx', 0o600);
  try {
    await writeAll(file, bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await fsyncFolder(dirname(spare), () => {});
}

/** Put the header back that was about to be written when the host died, where it was torn. */
export async function mendHeader(path: string, spare: string): Promise<void> {
  const file = await openFile(spare, 'r').catch(() => undefined);
  if (!file) return;
  try {
    const whole = await readVhdHead(path).then(
      () => true,
      () => false,
    );
    if (whole) return;
    const bytes = await readUpTo(file, 0, HEADER_BYTES);
    const image = await openFile(path, 'r+');
    try {
      const front = await readUpTo(image, 0, SECTOR_BYTES);
      const headerAt = Number(front.readBigUInt64BE(16));
      parseHeader(spare, bytes);
      await writeAll(image, bytes, headerAt);
      await image.sync();
    } finally {
      await image.close();
    }
  } finally {
    await file.close();
  }
}
