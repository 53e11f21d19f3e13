import { describe, test } from 'vitest';
import { libvhdiMissing } from '../tools/vhd/libvhdi.ts';
import { imagesConformance } from './conformance.ts';
import { vhdWorld } from './vhd-world.ts';

const missing = libvhdiMissing();

describe.skipIf(missing !== '')('VHD chains, read by libvhdi', () => {
  const formats = { base: 'vpc', layer: 'vpc' };
  imagesConformance('VHDs over a dynamic one', () => vhdWorld('dynamic'), formats);
  imagesConformance('VHDs over a fixed one', () => vhdWorld('fixed'), formats);
});

if (missing) test.skip(missing, () => {});
