import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defineSmall, makeImage } from './small-domain.ts';
import { type SmallWorld, smallWorld } from './small-world.ts';

const NAME = 'pooled';
const timeout = 120_000;

let world: SmallWorld;
let folder: string;
let daemon: SmallWorld['daemon'];

const disk = (device: string, pool: string, volume: string, format: string) =>
  `<disk type='volume' device='disk'><driver name='qemu' type='${format}'/>
    <source pool='${pool}' volume='${volume}'/><target dev='${device}' bus='virtio'/></disk>`;

/** A pool of a folder, with one volume that was made by libvirt. */
async function pool(name: string, volume: string, format: string): Promise<void> {
  const path = join(folder, name);
  mkdirSync(path);
  await daemon.virsh('pool-define-as', name, 'dir', '--target', path);
  await daemon.virsh('pool-start', name);
  await daemon.virsh('vol-create-as', name, volume, '16M', '--format', format);
}

beforeAll(async () => {
  world = await smallWorld('volumes');
  ({ folder, daemon } = world);
  await pool('fast', 'a.qcow2', 'qcow2');
  await pool('slow', 'b.raw', 'raw');
  await defineSmall(
    daemon,
    folder,
    NAME,
    disk('vda', 'fast', 'a.qcow2', 'qcow2') + disk('vdb', 'slow', 'b.raw', 'raw'),
  );
}, 60_000);

afterAll(() => world?.down());

const does = async (...words: string[]) => {
  const { exit, stderr } = await world.run(...words);
  expect(exit, `${words.join(' ')}: ${stderr}`).toBe(0);
};
const next = () => daemon.virsh('dumpxml', NAME, '--inactive');
/** What the disks themselves are; what lies below them, libvirt writes down, too. */
const volumes = async () => {
  const xml = (await next()).replaceAll(/<backingStore[\s\S]*?<\/backingStore>\n {6}</g, '<');
  return xml.match(/pool='\w+' volume='[^']+'/g) ?? [];
};
/** The heads of both disks, now and for the next start, which must be the same. */
async function heads(): Promise<string[]> {
  const listed = async (...how: string[]) =>
    (await daemon.virsh('domblklist', NAME, ...how))
      .split('\n')
      .map(line => line.trim().split(/\s+/)[1] ?? '');
  const now = await listed();
  expect(await listed('--inactive')).toEqual(now);
  return now;
}
const kept = (pool: string) => join(folder, pool);

describe('disks that are volumes of storage pools', () => {
  test('a running domain: a head that has moved is a file, and one that has not is a volume still', {
    timeout,
  }, async () => {
    await daemon.virsh('start', NAME);
    await does('create', NAME, 'one', '--memory', 'none', '--disk', 'vdb=none');
    const [vda, vdb] = await heads();
    expect(vda).toMatch(new RegExp(`^${kept('fast')}/.*one`));
    expect(vdb).toBe('b.raw');
    expect(await volumes()).toEqual([`pool='slow' volume='b.raw'`]);
    await does('create', NAME, 'two', '--memory', 'paused');
    expect(await volumes()).toEqual([]);
    expect((await heads())[1]).toMatch(new RegExp(`^${kept('slow')}/.*two`));
  });

  test('it is reverted and deleted, and starts by virsh with its pools not active', {
    timeout,
  }, async () => {
    await does('revert', NAME, 'two');
    await does('revert', NAME, 'one');
    await does('delete', NAME, 'two');
    await daemon.virsh('destroy', NAME);
    for (const name of ['fast', 'slow']) await daemon.virsh('pool-destroy', name);
    await does('create', NAME, 'three');
    await does('revert', NAME, 'one');
    await does('delete', NAME, 'three');
    await daemon.virsh('start', NAME);
    await daemon.virsh('destroy', NAME);
  });

  test("the other way round: virsh's own snapshot of volumes is in the tree, and is worked with", {
    timeout,
  }, async () => {
    for (const name of ['fast', 'slow']) await daemon.virsh('pool-start', name).catch(() => {});
    await makeImage(join(folder, 'fast', 'c.qcow2'));
    await daemon.virsh('pool-refresh', 'fast');
    await defineSmall(daemon, folder, 'other', disk('vda', 'fast', 'c.qcow2', 'qcow2'));
    await daemon.virsh('snapshot-create-as', 'other', 'inside');
    await does('list', 'other');
    await does('create', 'other', 'outside', '--disks', 'external');
    await does('revert', 'other', 'inside');
    await does('delete', 'other', 'outside');
    await does('delete', 'other', 'inside');
  });

  test('a volume of a pool without folders is refused, and it is said why', {
    timeout,
  }, async () => {
    const path = join(folder, 'mpath.xml');
    writeFileSync(
      path,
      `<pool type='mpath'><name>multi</name><target><path>/dev/mapper</path></target></pool>`,
    );
    await daemon.virsh('pool-define', path);
    await defineSmall(daemon, folder, 'multi', disk('vda', 'multi', 'dm-0', 'raw'));
    const { exit, stderr } = await world.run('create', 'multi');
    expect(exit).toBe(3);
    expect(stderr).toContain(
      'vda: it is the volume dm-0 of the pool multi, which is of the type mpath',
    );
  });
});
