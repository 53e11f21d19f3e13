import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { libvhdiMissing } from '../../tools/vhd/libvhdi.ts';
import { compareProved } from './table.ts';
import {
  allStand,
  type Device,
  domsnap,
  guestWrites,
  records,
  shown,
  type VhdWorld,
  vhdDomain,
} from './vhd-world.ts';

const missing = libvhdiMissing();
if (missing) test.skip(missing, () => {});

/** The cases of a domain that is off: no QEMU may be given a differencing VHD, so there are no others. */
describe.skipIf(missing !== '')('every case that VHD chains have, by the real command', () => {
  let world: VhdWorld;
  const proved = new Set<string>();
  let ends: (() => void)[] = [];
  const write = async (device: Device, page: number, pages: number, value: number) =>
    guestWrites(world, device, page, pages, value);
  const does = async (caseName: string, ...args: string[]) => {
    const before = shown(world);
    const reverts = args[0] === 'revert';
    const to = records(world).snapshots.find(({ name }) => name === args[2]);
    const { case: found } = await domsnap(world, ...args);
    expect(found).toBe(`${caseName}.external`);
    const disks = reverts && to ? world.proofs.get(to.operation) : before;
    await allStand(world, disks ?? []);
    proved.add(`${caseName}.external`);
  };
  const formats = () => records(world).heads.map(({ head }) => head.format);

  beforeAll(async () => {
    world = await vhdDomain(clean => ends.push(clean));
  });
  afterAll(() => {
    for (const end of ends) end();
    ends = [];
  });

  test('creates: the first as asked for, the next ones by themselves', async () => {
    const create = ['create', 'web1'];
    const asked = ['--disk', 'vda=vhd', '--disk', 'vdb=vhd'];
    await does('create.offline.disk-only', ...create, 's1', ...asked);
    await write('vda', 0, 100, 0x21);
    await write('vdb', 500, 200, 0x22);
    await does('create.offline.disk-only', ...create, 's2');
    await write('vda', 50, 100, 0x31);
    await write('vda', 600, 3, 0x32);
    await write('vdb', 0, 1, 0x33);
    await does('create.offline.disk-only', ...create, 's3');
    await write('vda', 51, 1, 0x41);
    await write('vdb', 1279, 1, 0x42);
    expect(formats()).toEqual(['vpc', 'vpc']);
  });

  test('reverts: by a new child, what the disks held stays as a branch', async () => {
    await does('revert.offline.disk-only', 'revert', 'web1', 's1');
    await write('vda', 0, 1, 0x51);
    await does('create.offline.disk-only', 'create', 'web1', 't1');
    await write('vda', 3, 1, 0x52);
    const left = shown(world);
    await does('revert.offline.disk-only', 'revert', 'web1', 's3');
    await write('vdb', 7, 2, 0x53);
    await domsnap(world, 'undo', 'web1');
    await allStand(world, left);
  });

  test('deletes: in the middle, with children, the last', async () => {
    await does('delete.offline.chain', 'delete', 'web1', 's2');
    await does('delete.offline.children', 'delete', 'web1', 't1', '--children');
    await does('create.offline.disk-only', 'create', 'web1', 'u1');
    await write('vda', 9, 9, 0x61);
    for (;;) {
      const { snapshots } = records(world);
      const [first] = snapshots;
      if (!first) break;
      const alone = first.parent === null && !snapshots.some(one => one.parent === first.name);
      const place = alone ? 'standalone' : 'chain';
      await does(`delete.offline.${place}`, 'delete', 'web1', first.name);
    }
    expect(formats()).toEqual(['vpc', 'vpc']);
  });

  test('then the heads are complete: QEMU starts on them, and shows the same', async () => {
    const before = shown(world);
    await domsnap(world, 'domain', 'start', 'web1');
    await domsnap(world, 'domain', 'stop', 'web1');
    await allStand(world, before);
  });

  test('these are the cases that the table of the README shows', () => {
    compareProved('vhd', proved);
  });
});
