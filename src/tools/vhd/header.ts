import { basename } from 'node:path';
import { badVhd, checksum, SECTOR_BYTES, safeNumber } from './bytes.ts';
import { NOWHERE, vhdTime } from './footer.ts';

/** The header of a dynamic or differencing VHD: where its blocks are listed, and what it stands on. */
export interface VhdHeader {
  readonly bytes: Buffer;
  readonly tableAt: number;
  readonly tableEntries: number;
  readonly blockBytes: number;
  readonly parentUuid: string;
  readonly parentName: string;
  readonly locators: readonly LocatorEntry[];
}

/** Where one way to name the parent lies in the file. */
export interface LocatorEntry {
  readonly platform: string;
  readonly at: number;
  readonly lengthBytes: number;
}

export const HEADER_BYTES = 1024;
const COOKIE = 'cxsparse';
const CHECKSUM = 36;
const LOCATORS = 576;
const LOCATORS_MAX = 8;
const NAME_BYTES = 512;
/** Far more than a path can have, in UTF-16. */
const LOCATOR_BYTES_MAX = 64 * 1024;
const BLOCK_BYTES_MAX = 256 * 2 ** 20;

/** Parse a header. It is hostile input: all in it is bounded. Throws ToolError `protocol`. */
export function parseHeader(path: string, bytes: Buffer): VhdHeader {
  if (bytes.length < HEADER_BYTES || bytes.toString('latin1', 0, 8) !== COOKIE) {
    throw badVhd(path, 'has no header where its footer says');
  }
  if (bytes.readUInt32BE(CHECKSUM) !== checksum(bytes, CHECKSUM)) {
    throw badVhd(path, 'has a header whose checksum is wrong');
  }
  const blockBytes = bytes.readUInt32BE(32);
  const power = blockBytes > 0 && (blockBytes & (blockBytes - 1)) === 0;
  if (!power || blockBytes < SECTOR_BYTES || blockBytes > BLOCK_BYTES_MAX) {
    throw badVhd(path, `claims blocks of ${blockBytes} bytes`);
  }
  return {
    bytes: Buffer.from(bytes),
    tableAt: safeNumber(path, bytes, 16),
    tableEntries: bytes.readUInt32BE(28),
    blockBytes,
    parentUuid: bytes.toString('hex', 40, 56),
    parentName: utf16be(bytes.subarray(64, 64 + NAME_BYTES)),
    locators: locatorsIn(path, bytes),
  };
}

function locatorsIn(path: string, bytes: Buffer): LocatorEntry[] {
  const found: LocatorEntry[] = [];
  for (let index = 0; index < LOCATORS_MAX; index += 1) {
    const from = LOCATORS + index * 24;
    const platform = bytes.toString('latin1', from, from + 4);
    if (platform === '\0\0\0\0') continue;
    const lengthBytes = bytes.readUInt32BE(from + 8);
    if (lengthBytes > LOCATOR_BYTES_MAX) throw badVhd(path, 'names its parent at too great length');
    found.push({ platform, at: safeNumber(path, bytes, from + 16), lengthBytes });
  }
  return found;
}

/** What a header is to say of the parent. */
export interface ParentWords {
  readonly uuid: string;
  readonly path: string;
  readonly modifiedMs: number;
  readonly locators: readonly LocatorEntry[];
}

/** The header of a new image, without a parent. */
export function newHeader(tableAt: number, tableEntries: number, blockBytes: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(COOKIE, 0, 'latin1');
  bytes.writeBigUInt64BE(NOWHERE, 8);
  bytes.writeBigUInt64BE(BigInt(tableAt), 16);
  bytes.writeUInt32BE(0x0001_0000, 24);
  bytes.writeUInt32BE(tableEntries, 28);
  bytes.writeUInt32BE(blockBytes, 32);
  return bytes;
}

/** The same header over another parent, or over none. */
export function withParent(header: Buffer, parent: ParentWords | null): Buffer {
  const bytes = Buffer.from(header);
  bytes.fill(0, 40, 60);
  bytes.fill(0, 64, 64 + NAME_BYTES);
  bytes.fill(0, LOCATORS, LOCATORS + LOCATORS_MAX * 24);
  if (parent) {
    bytes.write(parent.uuid, 40, 'hex');
    bytes.writeUInt32BE(vhdTime(parent.modifiedMs), 56);
    const name = Buffer.from(basename(parent.path), 'utf16le').swap16();
    name.copy(bytes, 64, 0, Math.min(name.length, NAME_BYTES - 2));
    for (const [index, { platform, at, lengthBytes }] of parent.locators.entries()) {
      const to = LOCATORS + index * 24;
      bytes.write(platform, to, 'latin1');
      bytes.writeUInt32BE(Math.ceil(lengthBytes / SECTOR_BYTES), to + 4);
      bytes.writeUInt32BE(lengthBytes, to + 8);
      bytes.writeBigUInt64BE(BigInt(at), to + 16);
    }
  }
  bytes.writeUInt32BE(checksum(bytes, CHECKSUM), CHECKSUM);
  return bytes;
}

function utf16be(bytes: Buffer): string {
  const text = Buffer.from(bytes).swap16().toString('utf16le');
  return text.split('\0', 1)[0] ?? '';
}
