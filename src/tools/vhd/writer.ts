import { padded, readUpTo, SECTOR_BYTES, writeAll } from './bytes.ts';
import {
  mapBytesOf,
  type Part,
  type Piece,
  partsOf,
  runsOf,
  UNUSED,
  type VhdImage,
} from './image.ts';

/**
 * Writes to one VHD in place, to the very sectors that it is told. New blocks come behind all that is there,
 * over the footer at the end, whose copy in front stays; the table names them only when they are on disk,
 * and a new footer follows. So a writer that dies leaves a whole VHD at each instant.
 */
export class VhdWriter {
  readonly #image: VhdImage;
  readonly #new = new Map<number, number>();
  /** Behind all that counts. */
  #end: number;
  readonly #endBefore: number;

  private constructor(image: VhdImage, end: number) {
    this.#image = image;
    this.#end = end;
    this.#endBefore = end;
  }

  /** The image must have been opened to be written to. */
  static async on(image: VhdImage): Promise<VhdWriter> {
    return new VhdWriter(image, await endOf(image));
  }

  /** Write those sectors of a piece that `wanted` marks. */
  async write(piece: Piece, wanted: Uint8Array): Promise<void> {
    for (const part of partsOf(this.#image, piece)) {
      const runs = [...runsOf(part.count, index => wanted[part.from + index] === 1)];
      if (runs.length === 0) continue;
      const { inBlock, dataAt, mapAt } = part.dataAt < 0 ? await this.#allocate(part) : part;
      for (const { from, count } of runs) {
        const first = (part.from + from) * SECTOR_BYTES;
        const bytes = piece.bytes.subarray(first, first + count * SECTOR_BYTES);
        await writeAll(this.#image.file, bytes, dataAt + (inBlock + from) * SECTOR_BYTES);
      }
      if (mapAt >= 0) await this.#mark(mapAt, inBlock, runs);
    }
  }

  /** Add bytes that belong to no block, such as another name of the parent; answers where they are. */
  async append(bytes: Buffer): Promise<number> {
    const at = await this.#extend(padded(bytes.length));
    await writeAll(this.#image.file, bytes, at);
    return at;
  }

  /** All is on disk when this returns. `footer`: the one that it is to have from now on. */
  async finish(footer?: Buffer): Promise<void> {
    const { file, head } = this.#image;
    await file.datasync();
    if (!head.header) return;
    for (const [block, sector] of this.#new) {
      const entry = Buffer.alloc(4);
      entry.writeUInt32BE(sector);
      await writeAll(file, entry, head.header.tableAt + block * 4);
    }
    this.#new.clear();
    await this.#close(this.#end, footer ?? head.footer.bytes);
    await file.sync();
  }

  /** Give back what was allocated: nothing refers to it. What was overwritten stays overwritten. */
  async abandon(): Promise<void> {
    const { head, table } = this.#image;
    if (!head.header || this.#end === this.#endBefore) return;
    for (const block of this.#new.keys()) table[block] = UNUSED;
    await this.#close(this.#endBefore, head.footer.bytes);
  }

  async #close(end: number, footer: Buffer): Promise<void> {
    const { file } = this.#image;
    await file.truncate(end);
    await writeAll(file, footer, end);
  }

  /** A new block is a hole: all zeros, and nothing marked as held. */
  async #allocate(part: Part): Promise<Part> {
    const { head, table } = this.#image;
    const mapBytes = mapBytesOf(head.header?.blockBytes ?? 0);
    const mapAt = await this.#extend(mapBytes + (head.header?.blockBytes ?? 0));
    table[part.block] = mapAt / SECTOR_BYTES;
    this.#new.set(part.block, mapAt / SECTOR_BYTES);
    return { ...part, mapAt, dataAt: mapAt + mapBytes };
  }

  async #extend(bytes: number): Promise<number> {
    const { file } = this.#image;
    const at = this.#end;
    // What lies there is an old footer, or what a writer has left that died.
    if (at === this.#endBefore) await file.truncate(at);
    await file.truncate(at + bytes);
    this.#end = at + bytes;
    return at;
  }

  async #mark(
    mapAt: number,
    inBlock: number,
    runs: readonly { from: number; count: number }[],
  ): Promise<void> {
    const { file, head } = this.#image;
    const map = Buffer.alloc(mapBytesOf(head.header?.blockBytes ?? 0));
    (await readUpTo(file, mapAt, map.length)).copy(map);
    const before = Buffer.from(map);
    for (const { from, count } of runs) {
      for (let sector = inBlock + from; sector < inBlock + from + count; sector += 1) {
        map[sector >> 3] = (map[sector >> 3] ?? 0) | (0x80 >> (sector & 7));
      }
    }
    if (!map.equals(before)) await writeAll(file, map, mapAt);
  }
}

/**
 * Where the next thing may be put. A whole file ends with its footer; in one whose last writer died, what
 * lies behind all that is referred to is free.
 */
async function endOf({ head, table, file }: VhdImage): Promise<number> {
  const { header, footer, fileBytes, endFooter } = head;
  if (!header) return fileBytes;
  if (endFooter) return padded(fileBytes - SECTOR_BYTES);
  const blockBytes = mapBytesOf(header.blockBytes) + header.blockBytes;
  let end = Math.max(
    footer.headerAt + header.bytes.length,
    header.tableAt + header.tableEntries * 4,
  );
  for (const { at, lengthBytes } of header.locators) end = Math.max(end, at + lengthBytes);
  for (const sector of table) {
    if (sector !== UNUSED) end = Math.max(end, sector * SECTOR_BYTES + blockBytes);
  }
  return padded(
    Math.max(end, await batmapEnd(head, file, padded(header.tableAt + header.tableEntries * 4))),
  );
}

/** vhd-util's own map of full blocks stands behind the table, where QEMU would overwrite it. */
async function batmapEnd(
  { fileBytes }: VhdImage['head'],
  file: VhdImage['file'],
  at: number,
): Promise<number> {
  const bytes = await readUpTo(file, at, 24);
  if (bytes.length < 24 || bytes.toString('latin1', 0, 8) !== 'tdbatmap') return 0;
  const end = Number(bytes.readBigUInt64BE(8)) + bytes.readUInt32BE(16) * SECTOR_BYTES;
  return end <= fileBytes ? end : at + SECTOR_BYTES;
}
