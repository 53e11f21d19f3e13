import { expect, test } from 'vitest';
import { headsOf, snapshotOf } from './xml.ts';

const disk = (device: string, file: string, below = '') => `
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='${file}' index='1'/>
      <backingStore type='file' index='2'>
        <format type='qcow2'/>
        <source file='${below}'/>
        <backingStore/>
      </backingStore>
      <target dev='${device}' bus='virtio'/>
    </disk>`;

test('a head is the source of the disk itself, not of what lies below it', () => {
  const xml = `<domain>${disk('vda', '/i/a &amp; b', '/i/base')}${disk('vdb', '/i/c')}</domain>`;
  expect(headsOf(xml)).toEqual([
    { device: 'vda', path: '/i/a & b' },
    { device: 'vdb', path: '/i/c' },
  ]);
});

test('an external snapshot has its memory file, its overlays, and the images under them', () => {
  const xml = `<domainsnapshot>
  <name>wanted</name>
  <memory snapshot='external' file='/i/wanted.memory'/>
  <disks>
    <disk name='vda' snapshot='external' type='file'>
      <driver type='qcow2'/>
      <source file='/i/vda.wanted'/>
    </disk>
    <disk name='vdb' snapshot='no'/>
  </disks>
  <domain type='qemu'><name>bench</name>${disk('vda', '/i/vda')}${disk('vdb', '/i/vdb')}</domain>
</domainsnapshot>`;
  expect(snapshotOf(xml)).toEqual({
    name: 'wanted',
    memory: 'external',
    memoryFile: '/i/wanted.memory',
    disks: [
      { device: 'vda', how: 'external', base: '/i/vda', overlay: '/i/vda.wanted' },
      { device: 'vdb', how: 'no', base: '/i/vdb', overlay: null },
    ],
  });
});

test('an internal snapshot lies in the images of its time', () => {
  const xml = `<domainsnapshot><name>s</name><memory snapshot='internal'/>
  <disks><disk name='vda' snapshot='internal'/><disk name='vdb' snapshot='internal'/></disks>
  <domain>${disk('vda', '/i/vda')}${disk('vdb', '/i/vdb')}</domain></domainsnapshot>`;
  const { memory, memoryFile, disks } = snapshotOf(xml);
  expect([memory, memoryFile]).toEqual(['internal', null]);
  expect(disks.map(({ how, base, overlay }) => [how, base, overlay])).toEqual([
    ['internal', '/i/vda', null],
    ['internal', '/i/vdb', null],
  ]);
});
