import { closeSync, constants, copyFileSync, openSync, writeSync } from 'node:fs';
import type { Chance } from '../seeded-random.ts';

/**
 * What QEMU's `blklogwrites` wrote down of a disk (the format of Linux's dm-log-writes): a header of
 * one sector, then for each request a sector that names it, and the data of writes.
 */
export interface LoggedRequest {
  readonly sector: number;
  readonly sectors: number;
  readonly flush: boolean;
  readonly fua: boolean;
  readonly discard: boolean;
  /** Where in the log its data begins; null where it has none. */
  readonly dataAt: number | null;
  /** Where in the log it ends. */
  readonly end: number;
}

const MAGIC = 0x6a736677736872n;
const SECTOR_BYTES = 512;
const FLUSH = 1;
const FUA = 2;
const DISCARD = 4;

/**
 * All requests up to the power cut, oldest first. The header's count is that of the last time somebody
 * wrote it: what counts is where the log ends. Throws where a request in the middle is missing, which
 * was still on its way when QEMU was killed while later ones had been answered.
 */
export function parseWriteLog(log: Buffer): readonly LoggedRequest[] {
  // The header is written with the first request.
  if (log.length < SECTOR_BYTES) return [];
  const magic = log.readBigUInt64LE(0);
  if (magic !== MAGIC && magic !== 0n) throw new Error('not a log of writes');
  const requests: LoggedRequest[] = [];
  let at = SECTOR_BYTES;
  while (at + SECTOR_BYTES <= log.length) {
    const sectors = Number(log.readBigUInt64LE(at + 8));
    const flags = Number(log.readBigUInt64LE(at + 16));
    if (flags === 0 && sectors === 0) {
      if (log.subarray(at).every(byte => byte === 0)) break;
      throw new Error('the log of writes has a hole');
    }
    const discard = (flags & DISCARD) !== 0;
    const dataBytes = discard ? 0 : sectors * SECTOR_BYTES;
    const next = at + SECTOR_BYTES + dataBytes;
    // The last one was being written down.
    if (next > log.length) break;
    requests.push({
      sector: Number(log.readBigUInt64LE(at)),
      sectors,
      flush: (flags & FLUSH) !== 0,
      fua: (flags & FUA) !== 0,
      discard,
      dataAt: dataBytes === 0 ? null : at + SECTOR_BYTES,
      end: next,
    });
    at = next;
  }
  return requests;
}

/** What became of the writes that no flush had made durable. */
export interface CutStory {
  readonly requests: number;
  readonly flushes: number;
  /** Pieces of 4 KiB behind the last flush, and how many of them reached the disk. */
  readonly inFlight: number;
  readonly kept: number;
}

const PIECE_BYTES = 4096;

/**
 * The disk as a power cut leaves it that has a volatile write cache: everything up to the last flush,
 * and of what came later, in pieces of 4 KiB, none, all or half, in no order. `image` becomes it, from
 * `base`, what the disk held at first. Only the first `count` requests have come to the disk.
 */
export function imageAfterCut(
  base: string,
  log: Buffer,
  count: number,
  image: string,
  chance: Chance,
): CutStory {
  const requests = parseWriteLog(log).slice(0, count);
  const lastFlush = requests.findLastIndex(({ flush }) => flush);
  const keepShare = chance.of([0, 0.5, 0.5, 1]);
  copyFileSync(base, image, constants.COPYFILE_FICLONE);
  const file = openSync(image, 'r+');
  let inFlight = 0;
  let kept = 0;
  try {
    requests.forEach(({ sector, sectors, fua, dataAt }, index) => {
      if (dataAt === null) return;
      const durable = index < lastFlush || fua;
      for (let done = 0; done < sectors * SECTOR_BYTES; done += PIECE_BYTES) {
        const length = Math.min(PIECE_BYTES, sectors * SECTOR_BYTES - done);
        if (!durable) {
          inFlight += 1;
          if (chance.next() >= keepShare) continue;
          kept += 1;
        }
        writeSync(file, log, dataAt + done, length, sector * SECTOR_BYTES + done);
      }
    });
  } finally {
    closeSync(file);
  }
  const flushes = requests.filter(({ flush }) => flush).length;
  return { requests: requests.length, flushes, inFlight, kept };
}
