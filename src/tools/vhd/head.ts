import type { FileHandle } from 'node:fs/promises';
import { badVhd, openFile, readUpTo, SECTOR_BYTES } from './bytes.ts';
import { parseFooter, type VhdFooter } from './footer.ts';
import { HEADER_BYTES, parseHeader, type VhdHeader } from './header.ts';
import { inOrder, type Locator, pathsOf } from './parent-locator.ts';

/** What a VHD says of itself, before any of its data is looked at. */
export interface VhdHead {
  readonly path: string;
  readonly footer: VhdFooter;
  /** null: of a fixed size. */
  readonly header: VhdHeader | null;
  readonly fileBytes: number;
  /** False where whoever wrote to it last did not come to its end; the copy in front is whole. */
  readonly endFooter: boolean;
  /** Where its parent may be, likeliest first; empty unless it is a differencing disk. */
  readonly parentPaths: readonly string[];
}

/**
 * Read what a VHD says of itself: both copies of its footer, and its header. Costs four small reads.
 * It is hostile input. Throws ToolError `missing`, `failed`, and `protocol` for what is no VHD, or one
 * that contradicts itself.
 */
export async function readVhdHead(path: string): Promise<VhdHead> {
  const file = await openFile(path, 'r');
  try {
    return await headOf(path, file);
  } finally {
    await file.close();
  }
}

/** The same of a file that is open. */
export async function headOf(path: string, file: FileHandle): Promise<VhdHead> {
  const found = await file.stat();
  if (!found.isFile()) throw badVhd(path, 'is no plain file: a VHD is read from one only');
  const fileBytes = found.size;
  const endAt = fileBytes - SECTOR_BYTES;
  const end = endAt < 0 ? undefined : parseFooter(path, await readUpTo(file, endAt, SECTOR_BYTES));
  const front = parseFooter(path, await readUpTo(file, 0, SECTOR_BYTES));
  if (front && end && endAt > 0 && !sameDisk(front, end)) {
    throw badVhd(path, 'is a VHD whose footers at its beginning and its end contradict each other');
  }
  const footer = front ?? end;
  if (!footer) throw badVhd(path, 'is not a VHD: it has no footer');
  if (footer.type === 'fixed') {
    if (!end || end.sizeBytes > endAt) throw badVhd(path, 'is a VHD of a fixed size, cut off');
    return { path, footer: end, header: null, fileBytes, endFooter: true, parentPaths: [] };
  }
  if (!front) throw badVhd(path, 'has lost the copy of its footer at its beginning');
  const header = parseHeader(path, await readUpTo(file, front.headerAt, HEADER_BYTES));
  const needed = Math.ceil(front.sizeBytes / header.blockBytes);
  const tableEnd = header.tableAt + header.tableEntries * 4;
  if (header.tableEntries < needed || tableEnd > fileBytes) {
    throw badVhd(path, 'has a table of blocks that is too short');
  }
  const locators = front.type === 'differencing' ? await locatorsOf(file, header) : [];
  const parentPaths = [...new Set(inOrder(locators).flatMap(one => pathsOf(path, one)))];
  return { path, footer: front, header, fileBytes, endFooter: end !== undefined, parentPaths };
}

/** A guest can write what looks like a footer to the first sector of a fixed disk; QEMU would believe it. */
const sameDisk = (one: VhdFooter, other: VhdFooter): boolean =>
  one.uuid === other.uuid && one.type === other.type && one.sizeBytes === other.sizeBytes;

async function locatorsOf(file: FileHandle, { locators }: VhdHeader): Promise<Locator[]> {
  const found: Locator[] = [];
  for (const { platform, at, lengthBytes } of locators) {
    found.push({ platform, bytes: await readUpTo(file, at, lengthBytes) });
  }
  return found;
}
