import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defineSmall } from './small-domain.ts';
import { type SmallWorld, smallWorld } from './small-world.ts';

const NAME = 'saved';
const timeout = 120_000;

let world: SmallWorld;

beforeAll(async () => {
  world = await smallWorld('saved');
  await defineSmall(world.daemon, world.folder, NAME);
}, 60_000);

afterAll(() => world?.down());

test.each(['live', 'paused'])(
  'libvirt saves and restores a domain whose memory domsnap has saved before (%s)',
  { timeout },
  async how => {
    const { daemon, folder } = world;
    await daemon.virsh('start', NAME);
    const { exit, stderr } = await world.run('create', NAME, `by-${how}`, '--memory', how);
    expect(exit, stderr).toBe(0);
    const memory = join(folder, 'memory');
    await daemon.virsh('save', NAME, memory);
    await daemon.virsh('restore', memory);
    expect(await daemon.virsh('domstate', NAME)).toBe('running');
    await daemon.virsh('destroy', NAME);
  },
);
