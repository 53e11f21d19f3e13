import { expect, test } from 'vitest';
import type { EffectContext } from '../../src/engine/step.ts';
import type { Host } from '../../src/steps/host.ts';
import { snapshotDisks } from '../../src/steps/snapshot-disks.ts';
import type { ManagedVolume } from '../../src/storages/port.ts';
import { createInput } from './create-input.ts';

const head = { path: '/dev/vg0/root', format: 'raw' };
const input = createInput({
  quiesce: 'no',
  disks: [{ device: 'vda', mode: 'internal', head, tag: 'root.s1.op', roomBytes: 1 }],
});

/** What the step finds after a crash, where its volume is there under its name. */
async function found(manager: Partial<ManagedVolume>): Promise<string> {
  const host = {
    toolstack: { runState: async () => 'paused' },
    images: { view: async () => ({ tags: ['root.s1.op'], manager }) },
  } as unknown as Host;
  return (await snapshotDisks(host).probe(input, {} as EffectContext)).state;
}

test('after a crash a classic snapshot that is there is taken', async () => {
  expect(await found({ kind: 'lvm', suspended: false })).toBe('present');
});

test('but not while its disk stands still: lvcreate was killed before it let that go on', async () => {
  expect(await found({ kind: 'lvm', suspended: true })).toBe('absent');
});

test('and a thin one may be a name alone, of which the pool has not heard: it is made sure of', async () => {
  expect(await found({ kind: 'lvm-thin', suspended: false })).toBe('absent');
});
