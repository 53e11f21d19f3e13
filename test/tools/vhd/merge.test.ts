import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/engine/system-clock.ts';
import { hostImages } from '../../../src/storages/images.ts';
import type { ImageDeed } from '../../../src/storages/port.ts';
import { contextFor } from '../../storages/conformance.ts';
import { tempFolder } from '../temp-folder.ts';
import { writeVhd } from './write-vhd.ts';

const SECTORS = (5 * 2 ** 20) / 512 - 3;
const images = hostImages({ clock: systemClock });
const perform = (deed: ImageDeed) => images.perform(deed, contextFor());

interface Write {
  readonly layer: number;
  readonly sector: number;
  readonly count: number;
  readonly value: number;
}

const write: fc.Arbitrary<Write> = fc
  .record({
    layer: fc.nat(2),
    // Around the ends of blocks and of bytes of the map as often as anywhere.
    sector: fc.oneof(fc.nat(SECTORS - 1), fc.integer({ min: 4085, max: 4110 }), fc.nat(20)),
    count: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 5000 })),
    value: fc.integer({ min: 1, max: 250 }),
  })
  .map(one => ({ ...one, count: Math.min(one.count, SECTORS - one.sector) }));

/**
 * To the sector: what a chain showed is what QEMU reads of the complete VHD that comes of it. (libvhdi cannot
 * judge it: it takes the rest of a byte of the map for held.)
 */
test.each(['dynamic', 'fixed'])(
  'three layers over a %s base, written anywhere, merge up and down to what they showed',
  async subformat => {
    const folder = tempFolder();
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 12 }), async writes => {
        round += 1;
        const at = (name: string) => ({ path: join(folder, `${name}.${round}`), format: 'vpc' });
        const layers = [at('base'), at('middle'), at('top')];
        const [base, middle, top] = layers as [
          (typeof layers)[0],
          (typeof layers)[0],
          (typeof layers)[0],
        ];
        const options = `subformat=${subformat},force_size=on`;
        const make = ['create', '-q', '-f', 'vpc', '-o', options, base.path, String(SECTORS * 512)];
        execFileSync('qemu-img', make);
        const expected = new Uint8Array(SECTORS);
        for (const layer of [0, 1, 2]) {
          const image = layers[layer]!;
          if (layer > 0) await perform({ do: 'createOverlay', image, base: layers[layer - 1]! });
          for (const { sector, count, value } of writes.filter(one => one.layer === layer)) {
            await writeVhd(image.path, sector * 512, count * 512, value);
            expected.fill(value, sector, sector + count);
          }
        }
        const copy = readFileSync(top.path);
        await perform({ do: 'rebase', top, base });
        await perform({ do: 'rebase', top, base: null });
        expect(shownByQemu(top.path)).toEqual(expected);
        writeFileSync(top.path, copy);
        await perform({ do: 'commit', top, base: middle });
        await perform({ do: 'commit', top: middle, base });
        expect(shownByQemu(base.path)).toEqual(expected);
      }),
      { numRuns: 6, seed: 3 },
    );
  },
);

/** The value of each sector; 255 for one that has several. */
function shownByQemu(path: string): Uint8Array {
  const raw = `${path}.raw`;
  execFileSync('qemu-img', ['convert', '-f', 'vpc', '-O', 'raw', path, raw]);
  const bytes = readFileSync(raw);
  return Uint8Array.from({ length: bytes.length / 512 }, (_, sector) => {
    const part = bytes.subarray(sector * 512, sector * 512 + 512);
    return part.every(byte => byte === part[0]) ? (part[0] ?? 0) : 255;
  });
}
