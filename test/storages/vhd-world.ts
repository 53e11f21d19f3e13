import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/engine/system-clock.ts';
import { hostImages } from '../../src/storages/images.ts';
import { readByLibvhdi } from '../tools/vhd/libvhdi.ts';
import { writeVhd } from '../tools/vhd/write-vhd.ts';
import { BLOCKS, type ImagesWorld } from './conformance.ts';

export const BLOCK_BYTES = 64 * 1024;

/** A folder of VHDs, made by qemu-img where they are complete, and read by libvhdi. */
export async function vhdWorld(subformat: 'dynamic' | 'fixed'): Promise<ImagesWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'domsnap-vhd-'));
  const options = `subformat=${subformat},force_size=on`;
  return {
    images: hostImages({ clock: systemClock }),
    folder,
    async makeImage({ path }) {
      const size = String(BLOCKS * BLOCK_BYTES);
      execFileSync('qemu-img', ['create', '-q', '-f', 'vpc', '-o', options, path, size]);
    },
    write: ({ path }, block, value) => writeVhd(path, block * BLOCK_BYTES, BLOCK_BYTES, value),
    async read({ path }) {
      const bytes = readByLibvhdi(path);
      return Array.from({ length: BLOCKS }, (_, block) => {
        const part = bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
        const value = part[0] ?? 0;
        return part.every(byte => byte === value) ? value : -1;
      });
    },
    async makeFile(path, text) {
      writeFileSync(path, text);
    },
    async close() {
      rmSync(folder, { recursive: true });
    },
  };
}
