import { mkdtempSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { domsnap, sh } from './commands.ts';
import { counterOf, countersAtOnce, countingDomain, untilBeyond } from './domain.ts';

const VDA = '/dev/vg0/web1';
const VDB = '/dev/vg0/data1';
const folder = mkdtempSync('/run/web1-');

describe('a domain on logical volumes', () => {
  beforeAll(async () => {
    await sh('pvcreate -q /dev/vda && vgcreate vg0 /dev/vda');
    await sh('lvcreate -y -Wy -L 8M -n web1 vg0 && lvcreate -y -Wy -L 8M -n data1 vg0');
  });
  afterAll(async () => {
    await domsnap('domain', 'stop', 'web1');
    await sh('vgremove -ff -y vg0 && pvremove /dev/vda');
  });

  test('is added, and is off', async () => {
    const disks = [VDA, VDB].map(path => ({ path, format: 'raw' }));
    const file = await countingDomain({ name: 'web1', folder, disks });
    expect(await domsnap('domain', 'add', file)).toMatchObject({ status: 0 });
    expect((await domsnap('list')).said).toMatch(/^web1 /m);
  });

  test('runs, and its guest counts on both volumes', async () => {
    expect(await domsnap('domain', 'start', 'web1')).toMatchObject({ status: 0 });
    const first = await untilBeyond(VDA, 0);
    expect(await untilBeyond(VDA, first)).toBeGreaterThan(first);
    expect(await untilBeyond(VDB, 0)).toBeGreaterThan(0);
    expect((await domsnap('domain', 'show', 'web1')).said).toMatch(/running/);
  });

  test('has memory and disks of one moment, give or take the tick that is being written', async () => {
    const { memory, disks } = await countersAtOnce(folder, 'web1', [VDA, VDB]);
    expect(memory).toBeGreaterThan(0);
    expect([memory, memory - 1]).toContain(disks[0]);
    expect([disks[0], disks[0]! - 1]).toContain(disks[1]);
  });

  test('is stopped, and its volumes are of one moment', async () => {
    expect(await domsnap('domain', 'stop', 'web1')).toMatchObject({ status: 0 });
    const ahead = counterOf(VDA) - counterOf(VDB);
    expect([0, 1]).toContain(ahead);
  });
});
