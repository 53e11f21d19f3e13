import type { FileHandle } from 'node:fs/promises';
import { badVhd, openFile, padded, readUpTo, SECTOR_BYTES, sectors } from './bytes.ts';
import { headOf, type VhdHead } from './head.ts';

/** What is in a sector's place when a block of the table is not there. */
export const UNUSED = 0xffff_ffff;

/**
 * A piece of the guest's disk as it is put together from the layers of a chain, topmost first: its bytes,
 * and for each sector whether a layer has been found that holds it.
 */
export interface Piece {
  /** Where on the guest's disk, in bytes; a whole sector, like its length. */
  readonly at: number;
  readonly bytes: Buffer;
  readonly found: Uint8Array;
}

/** An empty piece. */
export const pieceAt = (at: number, lengthBytes: number): Piece => ({
  at,
  bytes: Buffer.alloc(lengthBytes),
  found: new Uint8Array(sectors(lengthBytes)),
});

/** One VHD that is open, without its parents. */
export interface VhdImage {
  readonly head: VhdHead;
  readonly file: FileHandle;
  /** In which sector of the file each block begins; empty for a fixed size. */
  readonly table: Uint32Array;
}

/** Open a VHD. Throws ToolError as `readVhdHead`. The caller closes it. */
export async function openVhd(path: string, flags: 'r' | 'r+' = 'r'): Promise<VhdImage> {
  const file = await openFile(path, flags);
  try {
    const head = await headOf(path, file);
    return { head, file, table: await readTable(head, file) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The entries that the disk's size needs; more are of no meaning. Each must lead into the file. */
async function readTable({ path, header, footer, fileBytes }: VhdHead, file: FileHandle) {
  if (!header) return new Uint32Array();
  const count = Math.ceil(footer.sizeBytes / header.blockBytes);
  const bytes = await readUpTo(file, header.tableAt, count * 4);
  const table = new Uint32Array(count);
  const mapBytes = mapBytesOf(header.blockBytes);
  const seen = new Set<number>();
  for (let block = 0; block < count; block += 1) {
    const sector = bytes.readUInt32BE(block * 4);
    table[block] = sector;
    if (sector === UNUSED) continue;
    if (sector * SECTOR_BYTES + mapBytes > fileBytes || seen.has(sector)) {
      throw badVhd(path, `has block ${block} in a place where none can be`);
    }
    seen.add(sector);
  }
  return table;
}

/** How long the map of a block's sectors is, which stands before its data. */
export const mapBytesOf = (blockBytes: number): number =>
  padded(Math.ceil(sectors(blockBytes) / 8));

/** Does the image itself hold anything of this part of the disk, as far as its table says? */
export function holdsAny({ head, table }: VhdImage, at: number, lengthBytes: number): boolean {
  const { header } = head;
  if (!header) return true;
  const last = Math.min(Math.floor((at + lengthBytes - 1) / header.blockBytes), table.length - 1);
  for (let block = Math.floor(at / header.blockBytes); block <= last; block += 1) {
    if (table[block] !== UNUSED) return true;
  }
  return false;
}

/** Fill what no layer above has held with what this image holds. Reads nothing of its parents. */
export async function fillPiece(image: VhdImage, piece: Piece): Promise<void> {
  for (const part of partsOf(image, piece)) {
    const held = await heldIn(image, part);
    if (!held) continue;
    const wanted = (index: number) =>
      piece.found[part.from + index] === 0 && held(part.inBlock + index);
    for (const { from, count } of runsOf(part.count, wanted)) {
      const at = part.dataAt + (part.inBlock + from) * SECTOR_BYTES;
      const bytes = await readUpTo(image.file, at, count * SECTOR_BYTES);
      // A file that ends within a block has holes where its end would be.
      bytes.copy(piece.bytes, (part.from + from) * SECTOR_BYTES);
      piece.found.fill(1, part.from + from, part.from + from + count);
    }
  }
}

/** Which sectors of a piece the image itself holds. */
export async function heldSectors(image: VhdImage, piece: Piece): Promise<Uint8Array> {
  const mask = new Uint8Array(piece.found.length);
  for (const part of partsOf(image, piece)) {
    const held = await heldIn(image, part);
    if (!held) continue;
    for (let index = 0; index < part.count; index += 1) {
      if (held(part.inBlock + index)) mask[part.from + index] = 1;
    }
  }
  return mask;
}

/** The part of a piece that lies in one block. Counts are of sectors. */
export interface Part {
  readonly block: number;
  /** From the beginning of the piece. */
  readonly from: number;
  /** From the beginning of the block. */
  readonly inBlock: number;
  readonly count: number;
  /** Where in the file the block's map and data begin; -1 where the block is not there. */
  readonly mapAt: number;
  readonly dataAt: number;
}

/** The blocks that a piece lies in. A fixed disk is one block without a map. */
export function partsOf({ head, table }: VhdImage, piece: Piece): Part[] {
  const { header, footer } = head;
  const total = Math.min(piece.found.length, (footer.sizeBytes - piece.at) / SECTOR_BYTES);
  const first = piece.at / SECTOR_BYTES;
  if (!header) {
    return [{ block: 0, from: 0, inBlock: first, count: total, mapAt: -1, dataAt: 0 }];
  }
  const perBlock = header.blockBytes / SECTOR_BYTES;
  const parts: Part[] = [];
  for (let from = 0; from < total; ) {
    const block = Math.floor((first + from) / perBlock);
    const inBlock = (first + from) % perBlock;
    const count = Math.min(perBlock - inBlock, total - from);
    const sector = table[block] ?? UNUSED;
    const mapAt = sector === UNUSED ? -1 : sector * SECTOR_BYTES;
    const dataAt = sector === UNUSED ? -1 : mapAt + mapBytesOf(header.blockBytes);
    parts.push({ block, from, inBlock, count, mapAt, dataAt });
    from += count;
  }
  return parts;
}

/**
 * Which sectors of a block the image holds; undefined: none. The map counts in a differencing disk alone:
 * in a dynamic one a block that is there is there as a whole, as QEMU has it, which reads no maps.
 */
async function heldIn(
  { head, file }: VhdImage,
  { dataAt, mapAt }: Part,
): Promise<((sector: number) => boolean) | undefined> {
  if (dataAt < 0) return undefined;
  if (head.footer.type !== 'differencing' || !head.header) return () => true;
  const map = await readUpTo(file, mapAt, mapBytesOf(head.header.blockBytes));
  return sector => ((map[sector >> 3] ?? 0) & (0x80 >> (sector & 7))) !== 0;
}

/** Stretches of sectors that have something in common. */
export function* runsOf(
  count: number,
  wanted: (index: number) => boolean,
): Generator<{ from: number; count: number }> {
  for (let from = 0; from < count; ) {
    if (!wanted(from)) {
      from += 1;
      continue;
    }
    let to = from + 1;
    while (to < count && wanted(to)) to += 1;
    yield { from, count: to - from };
    from = to;
  }
}
