import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Chance } from '../seeded-random.ts';
import { imageAfterCut, parseWriteLog } from './write-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'domsnap-write-log-'));
afterAll(() => rmSync(folder, { recursive: true }));

const FLUSH = 1n;
const FUA = 2n;

/** A log as QEMU writes it: writes of 4 KiB of one byte, `[page, byte, flags]`, and flushes. */
function logOf(
  ...requests: readonly (readonly [page: number, byte: number, flags?: bigint] | 'flush')[]
) {
  const header = Buffer.alloc(512);
  header.writeBigUInt64LE(0x6a736677736872n, 0);
  const parts = requests.map(request => {
    const name = Buffer.alloc(512);
    if (request === 'flush') {
      name.writeBigUInt64LE(FLUSH, 16);
      return name;
    }
    const [page, byte, flags = 0n] = request;
    name.writeBigUInt64LE(BigInt(page * 8), 0);
    name.writeBigUInt64LE(8n, 8);
    name.writeBigUInt64LE(flags, 16);
    return Buffer.concat([name, Buffer.alloc(4096, byte)]);
  });
  return Buffer.concat([header, ...parts]);
}

/** The first byte of each of four pages after a cut. */
function pagesAfter(log: Buffer, seed: number, count = Number.POSITIVE_INFINITY): number[] {
  const [base, image] = [join(folder, 'base'), join(folder, 'image')];
  writeFileSync(base, Buffer.alloc(4 * 4096));
  imageAfterCut(base, log, count, image, new Chance(seed));
  const bytes = readFileSync(image);
  return [0, 1, 2, 3].map(page => bytes[page * 4096]!);
}

const seeds = Array.from({ length: 40 }, (_, seed) => seed);

describe('a disk with a volatile write cache after a power cut', () => {
  test('holds all that was flushed, whatever the chance', () => {
    const log = logOf([0, 1], [1, 2], 'flush', [2, 3], [3, 4]);
    for (const seed of seeds) expect(pagesAfter(log, seed).slice(0, 2)).toEqual([1, 2]);
  });

  test('loses, keeps or mixes what was not', () => {
    const log = logOf([0, 1], 'flush', [2, 3], [3, 4]);
    const found = new Set(seeds.map(seed => pagesAfter(log, seed).slice(2).join(' ')));
    expect(found).toEqual(new Set(['0 0', '3 0', '0 4', '3 4']));
  });

  test('holds what was written through its cache', () => {
    const log = logOf([0, 1, FUA], [1, 2]);
    for (const seed of seeds) expect(pagesAfter(log, seed)[0]).toBe(1);
  });

  test('knows nothing of what came after the cut', () => {
    const log = logOf([0, 1], 'flush', [0, 9], 'flush');
    for (const seed of seeds) expect(pagesAfter(log, seed, 2)[0]).toBe(1);
  });
});

describe('a log that ends with the kill', () => {
  test('ends where a request was being written down', () => {
    const log = logOf([0, 1], [1, 2]);
    expect(parseWriteLog(log.subarray(0, log.length - 100))).toHaveLength(1);
    expect(parseWriteLog(Buffer.alloc(0))).toEqual([]);
  });

  test('is refused where a request in the middle is missing', () => {
    const log = logOf([0, 1], 'flush', 'flush');
    log.fill(0, 512 + 512 + 4096, 512 + 512 + 4096 + 512);
    expect(() => parseWriteLog(log)).toThrow('hole');
  });
});
