import { badVhd, checksum, SECTOR_BYTES, safeNumber } from './bytes.ts';

/** What kind of disk a VHD is: its data as they are, in blocks, or in blocks over a parent. */
export type VhdType = 'fixed' | 'dynamic' | 'differencing';

/**
 * The footer of a VHD ("Virtual Hard Disk Image Format Specification", Microsoft, 2006; big endian).
 * What domsnap does not know of it stays as it is in `bytes`.
 */
export interface VhdFooter {
  readonly bytes: Buffer;
  readonly type: VhdType;
  /** What a reader that goes by the footer alone takes for the size of the disk. */
  readonly sizeBytes: number;
  /** What QEMU shows its guest: for most makers' files it counts by cylinders, heads and sectors. */
  readonly guestBytes: number;
  readonly uuid: string;
  /** Which program made it, four characters. */
  readonly creator: string;
  /** Where the header of a dynamic or differencing disk is. */
  readonly headerAt: number;
}

const COOKIE = 'conectix';
const CHECKSUM = 64;
const TYPES: Readonly<Record<number, VhdType>> = { 2: 'fixed', 3: 'dynamic', 4: 'differencing' };
/** Makers whose files QEMU sizes by the footer's size alone (block/vpc.c, 7.2). */
const SIZED = ['win ', 'qem2', 'd2v ', 'CTXS', 'tap\0'];
/** A disk of this geometry is at least as large; QEMU goes by its size then. */
const GEOMETRY_MAX = 65_535 * 16 * 255;
/** What a footer without a header has in its place. */
export const NOWHERE = 0xffff_ffff_ffff_ffffn;
/** The largest disk of blocks of 2 MiB that the format's makers allow. */
export const VHD_BYTES_MAX = 2040 * 2 ** 30;

/** The footer in these 512 bytes; undefined where there is none that is whole. Throws ToolError `protocol`. */
export function parseFooter(path: string, bytes: Buffer): VhdFooter | undefined {
  if (bytes.length < SECTOR_BYTES || bytes.toString('latin1', 0, 8) !== COOKIE) return undefined;
  if (bytes.readUInt32BE(CHECKSUM) !== checksum(bytes, CHECKSUM)) return undefined;
  const type = TYPES[bytes.readUInt32BE(60)];
  if (!type) throw badVhd(path, `is a VHD of the unknown type ${bytes.readUInt32BE(60)}`);
  const sizeBytes = safeNumber(path, bytes, 48);
  if (sizeBytes === 0 || sizeBytes % SECTOR_BYTES !== 0) {
    throw badVhd(path, `claims a size that no disk has: ${sizeBytes}`);
  }
  return {
    bytes: Buffer.from(bytes),
    type,
    sizeBytes,
    guestBytes: guestBytes(bytes, sizeBytes),
    uuid: bytes.toString('hex', 68, 84),
    creator: bytes.toString('latin1', 28, 32),
    headerAt: type === 'fixed' ? 0 : safeNumber(path, bytes, 16),
  };
}

function guestBytes(bytes: Buffer, sizeBytes: number): number {
  if (SIZED.includes(bytes.toString('latin1', 28, 32))) return sizeBytes;
  const count = bytes.readUInt16BE(56) * bytes.readUInt8(58) * bytes.readUInt8(59);
  return count === GEOMETRY_MAX ? sizeBytes : count * SECTOR_BYTES;
}

/** The same footer with some of it changed, and a checksum that says so. */
export function changedFooter(
  { bytes }: VhdFooter,
  change: {
    readonly type: 'dynamic' | 'differencing';
    readonly uuid?: Buffer;
    readonly nowMs?: number;
    readonly headerAt?: number;
  },
): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt32BE(change.type === 'dynamic' ? 3 : 4, 60);
  change.uuid?.copy(changed, 68);
  changed.writeUInt8(0, 84); // no virtual machine is saved with it
  if (change.nowMs !== undefined) changed.writeUInt32BE(vhdTime(change.nowMs), 24);
  if (change.headerAt !== undefined) changed.writeBigUInt64BE(BigInt(change.headerAt), 16);
  // vhd-util looks for its "batmap" in what bears its name. What is written here has none, or would
  // lose it as soon as QEMU allocates; this name means the same size to QEMU.
  if (changed.toString('latin1', 28, 32) === 'tap\0') changed.write('qem2', 28, 'latin1');
  changed.writeUInt32BE(checksum(changed, CHECKSUM), CHECKSUM);
  return changed;
}

/** Seconds since the beginning of 2000, as VHDs count time. */
export const vhdTime = (ms: number): number =>
  Math.max(0, Math.floor((ms - Date.UTC(2000, 0, 1)) / 1000)) >>> 0;
