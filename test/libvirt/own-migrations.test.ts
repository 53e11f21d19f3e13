import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Place, place } from '../cli/domsnap.ts';
import { TestLibvirtd } from './daemon.ts';
import { defineSmall } from './small-domain.ts';

const NAME = 'saved';
const timeout = 120_000;

let folder: string;
let daemon: TestLibvirtd;
let here: Place;
const cleanings: (() => void)[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'domsnap-saved-'));
  daemon = await TestLibvirtd.start(join(folder, 'libvirt'));
  here = place(clean => cleanings.push(clean));
  await defineSmall(daemon, folder, NAME);
}, 60_000);

afterAll(async () => {
  await daemon?.virsh('destroy', NAME).catch(() => {});
  await daemon?.close();
  for (const clean of cleanings) clean();
  rmSync(folder, { recursive: true });
});

test.each(['live', 'paused'])(
  'libvirt saves and restores a domain whose memory domsnap has saved before (%s)',
  { timeout },
  async how => {
    await daemon.virsh('start', NAME);
    const words = ['create', NAME, `by-${how}`, '--memory', how, '--connect', daemon.uri];
    const { exit, stderr } = await here.run(words);
    expect(exit, stderr).toBe(0);
    const memory = join(folder, 'memory');
    await daemon.virsh('save', NAME, memory);
    await daemon.virsh('restore', memory);
    expect(await daemon.virsh('domstate', NAME)).toBe('running');
    await daemon.virsh('destroy', NAME);
  },
);
