import { execFileSync } from 'node:child_process';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Volume } from '../../src/catalog/model.ts';
import type { CallContext } from '../../src/toolstacks/port.ts';
import { libvhdiMissing } from '../tools/vhd/libvhdi.ts';
import { contextFor, imagesConformance } from './conformance.ts';
import { vhdWorld } from './vhd-world.ts';

const missing = libvhdiMissing();
if (missing) test.skip(missing, () => {});

describe.skipIf(missing !== '')('VHD chains, read by libvhdi', () => {
  const formats = { base: 'vpc', layer: 'vpc' };
  imagesConformance('VHDs over a dynamic one', () => vhdWorld('dynamic'), formats);
  imagesConformance('VHDs over a fixed one', () => vhdWorld('fixed'), formats);
});

/** base ← middle ← top, each a VHD, and what has been called since. */
async function threeVhds() {
  const world = await vhdWorld('dynamic');
  onTestFinished(() => world.close());
  const at = (name: string, format = 'vpc'): Volume => ({
    path: `${world.folder}/${name}`,
    format,
  });
  const calls: string[][] = [];
  const context: CallContext = {
    ...contextFor(),
    log: ({ command }) => void calls.push(command as string[]),
  };
  const [base, middle, top] = [at('base'), at('middle'), at('top')] as const;
  await world.makeImage(base);
  await world.images.perform({ do: 'createOverlay', image: middle, base }, context);
  await world.images.perform({ do: 'createOverlay', image: top, base: middle }, context);
  return { ...world, at, calls, context, base, middle, top };
}

test('no deed gives a differencing VHD to a tool of QEMU’s', async () => {
  const { images, calls, context, base, middle, top } = await threeVhds();
  await images.chain(top, context);
  await images.perform({ do: 'commit', top: middle, base }, context);
  await images.perform({ do: 'repoint', child: top, base }, context);
  await images.perform({ do: 'rebase', top, base: null }, context);
  const toQemu = calls.filter(([tool = '']) => tool.startsWith('qemu'));
  expect(toQemu.length).toBeGreaterThan(0);
  expect(toQemu.filter(argv => argv.includes(middle.path) || argv.includes(top.path))).toEqual([]);
});

test('no overlay of another format is made over a differencing VHD, and one that is there is not used', async () => {
  const { images, at, context, top } = await threeVhds();
  const deed = { do: 'createOverlay', image: at('o', 'qcow2'), base: top } as const;
  const refused = { name: 'StepError', message: expect.stringContaining('as zeros') };
  await expect(images.perform(deed, context)).rejects.toMatchObject(refused);
  expect(await images.exists(at('o').path)).toBe(false);
  const argv = [
    'create',
    '-q',
    '-u',
    '-f',
    'qcow2',
    '-b',
    top.path,
    '-F',
    'vpc',
    at('o').path,
    '1M',
  ];
  execFileSync('qemu-img', argv);
  await expect(images.chain(at('o', 'qcow2'), context)).rejects.toMatchObject(refused);
  const other = at('other', 'qcow2');
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', other.path, '1M']);
  const moved = at('moved', 'qcow2');
  await images.perform({ do: 'createOverlay', image: moved, base: other }, context);
  for (const one of [
    { do: 'rebase', top: moved, base: top },
    { do: 'repoint', child: moved, base: top },
  ] as const) {
    await expect(images.perform(one, context)).rejects.toMatchObject(refused);
  }
});

test('a child whose parent another has taken the place of is not coalesced into it', async () => {
  const { images, makeImage, read, context, base, middle, top } = await threeVhds();
  await images.perform({ do: 'trash', path: base.path, operation: 'op1' }, context);
  await makeImage(base);
  const lost = { code: 'bad-image', message: expect.stringContaining('lost its parent') };
  for (const deed of [
    { do: 'commit', top: middle, base },
    { do: 'commit', top, base },
    { do: 'rebase', top, base: null },
  ] as const) {
    await expect(images.perform(deed, context)).rejects.toMatchObject(lost);
  }
  expect(new Set(await read(base))).toEqual(new Set([0]));
});
