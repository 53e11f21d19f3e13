import { type FileHandle, open } from 'node:fs/promises';
import { fileError } from '../file-errors.ts';
import { ToolError } from '../tool-error.ts';

/** What all sizes and places in a VHD are counted in. */
export const SECTOR_BYTES = 512;

export const sectors = (bytes: number): number => Math.ceil(bytes / SECTOR_BYTES);

/** Bytes up to the next whole sector. */
export const padded = (bytes: number): number => sectors(bytes) * SECTOR_BYTES;

/** The ToolError for a VHD that nobody should follow. */
export const badVhd = (path: string, why: string): ToolError =>
  new ToolError('file', 'protocol', `${path} ${why}`, { path });

/** Open a file, its error named. */
export async function openFile(path: string, flags: 'r' | 'r+'): Promise<FileHandle> {
  return await open(path, flags).catch(cause => {
    throw fileError('open', path, cause);
  });
}

/** Read `length` bytes, or as many as there are. */
export async function readUpTo(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, at + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return buffer.subarray(0, done);
}

/** Write all of a buffer: one call of the kernel may take less. */
export async function writeAll(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

/** The ones' complement of the sum of all bytes, the four of the sum itself not counted. */
export function checksum(bytes: Buffer, at: number): number {
  let sum = 0;
  for (let index = 0; index < bytes.length; index += 1) {
    if (index < at || index >= at + 4) sum += bytes[index] ?? 0;
  }
  return ~sum >>> 0;
}

/** A number of 64 bits that must be one that JavaScript can count to. */
export function safeNumber(path: string, bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64BE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw badVhd(path, 'claims a size beyond all sizes');
  return Number(value);
}
