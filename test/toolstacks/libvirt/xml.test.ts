import { describe, expect, test } from 'vitest';
import type { Snapshot } from '../../../src/catalog/model.ts';
import { readDescription, withHeads } from '../../../src/toolstacks/libvirt/domain-xml.ts';
import { saveImageHead } from '../../../src/toolstacks/libvirt/save-image.ts';
import {
  readRecord,
  withFiles,
  writeRecord,
} from '../../../src/toolstacks/libvirt/snapshot-xml.ts';

const DOMAIN = `<?xml version='1.0'?>
<domain type='kvm' id='3' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>web&amp;1</name>
  <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
  <!-- a comment stays -->
  <memory unit='MiB'>512</memory>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='none'/>
      <source file='/images/a &lt;1&gt;.qcow2' index='2'/>
      <backingStore type='file' index='3'><format type='raw'/><source file='/images/base'/></backingStore>
      <target dev='vda' bus='virtio'/>
      <alias name='virtio-disk0'/>
    </disk>
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw'/>
      <source dev='/dev/vg/data'/>
      <target dev='vdb' bus='virtio'/>
      <alias name='virtio-disk1'/>
    </disk>
    <disk type='network' device='disk'>
      <source protocol='rbd' name='pool/image'/>
      <target dev='vdc' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
    <disk type='file' device='disk'>
      <source file='/images/iso'/><target dev='vdd' bus='virtio'/><readonly/>
    </disk>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
  </devices>
  <qemu:commandline><qemu:arg value='-foo'/></qemu:commandline>
</domain>`;

describe('a description of a domain', () => {
  test('names the disks that the guest writes to, by what libvirt and QEMU call them', () => {
    expect(readDescription(DOMAIN)).toEqual({
      name: 'web&1',
      uuid: 'c7a5fdbd-edaf-9455-926a-d65c16db1809',
      disks: [
        {
          device: 'vda',
          alias: 'virtio-disk0',
          volume: { path: '/images/a <1>.qcow2', format: 'qcow2' },
        },
        { device: 'vdb', alias: 'virtio-disk1', volume: { path: '/dev/vg/data', format: 'raw' } },
      ],
      others: [{ device: 'vdc', why: 'it is of the type network, and has no path on this host' }],
      hasAgent: true,
      hasProfile: false,
      memoryBytes: 512 * 2 ** 20,
    });
  });

  test('with another head is the same in all else', () => {
    const path = `/images/it's "new" & <odd>.qcow2`;
    const changed = withHeads(DOMAIN, [{ device: 'vda', volume: { path, format: 'qcow2' } }]);
    const { disks } = readDescription(changed);
    expect(disks[0]?.volume).toEqual({ path, format: 'qcow2' });
    expect(disks[1]).toEqual(readDescription(DOMAIN).disks[1]);
    expect(changed).not.toContain('backingStore');
    expect(changed).toContain('cache="none"');
    expect(changed).toContain('<qemu:arg value="-foo"/>');
    expect(changed).toContain('<!-- a comment stays -->');
  });

  test('a block device that gets a file over it becomes a disk of the type file, and back', () => {
    const overlay = { path: '/images/over.qcow2', format: 'qcow2' };
    const over = withHeads(DOMAIN, [{ device: 'vdb', volume: overlay }]);
    expect(readDescription(over).disks[1]?.volume).toEqual(overlay);
    const volume = { path: '/dev/vg/data', format: 'raw' };
    const back = withHeads(over, [{ device: 'vdb', volume }]);
    expect(readDescription(back).disks[1]?.volume).toEqual(volume);
    expect(back.match(/type="block"/g)).toHaveLength(1);
  });

  test('what is no XML is told as such', () => {
    for (const text of ['', '<domain>', 'no', '<a></b>']) {
      expect(() => readDescription(text)).toThrow(/cannot be read/);
    }
  });
});

const snapshot: Snapshot = {
  operation: 'o1',
  domain: 'web&1',
  name: 'before <upgrade>',
  parent: 'first',
  createdAt: 1_700_000_000_000,
  kind: 'snapshot',
  state: 'usable',
  description: 'a "quoted" & odd one',
  consistency: 'memory',
  why: '',
  disks: [
    { device: 'vda', mode: 'external', image: { path: '/images/a.qcow2', format: 'qcow2' } },
    {
      device: 'vdb',
      mode: 'internal',
      image: { path: '/images/b.qcow2', format: 'qcow2' },
      tag: 't',
    },
  ],
  memory: {
    path: '/images/m & m.memory',
    bytes: 5,
    sha256: 'x',
    deviceDigest: 'd',
    runState: 'paused',
    capture: 'background',
  },
};

describe("libvirt's record of a snapshot", () => {
  const written = writeRecord({
    snapshot,
    parent: 'first',
    overlays: [{ device: 'vda', volume: { path: '/images/a.over.qcow2', format: 'qcow2' } }],
    domain: DOMAIN,
  });

  test('says what the snapshot says, and is read back so', () => {
    expect(readRecord(written)).toEqual({
      name: 'before <upgrade>',
      parent: 'first',
      createdAt: 1_700_000_000_000,
      description: 'a "quoted" & odd one',
      disks: [
        { device: 'vda', mode: 'external', image: { path: '/images/a.qcow2', format: 'qcow2' } },
        {
          device: 'vdb',
          mode: 'internal',
          image: { path: '/images/b.qcow2', format: 'qcow2' },
          tag: 'before <upgrade>',
        },
      ],
      memory: { file: '/images/m & m.memory' },
      runState: 'paused',
    });
  });

  test('names the files that have taken the place of others', () => {
    const moved = withFiles(written, new Map([['/images/a.qcow2', '/images/base.qcow2']]));
    expect(readRecord(moved ?? '').disks[0]?.image.path).toBe('/images/base.qcow2');
    expect(moved).toContain('/images/a.over.qcow2');
  });

  test("virsh's own checkpoint has its memory inside the images", () => {
    const record = `<domainsnapshot><name>full</name><state>running</state>
      <creationTime>5</creationTime><memory snapshot='internal'/>
      <disks><disk name='vda' snapshot='internal'/><disk name='vdb' snapshot='no'/></disks>
      ${DOMAIN.replace(/<\?xml.*\?>/, '')}</domainsnapshot>`;
    const { memory, disks, parent } = readRecord(record);
    expect([memory, parent]).toEqual([{ file: null }, null]);
    expect(disks.map(({ mode, tag }) => [mode, tag])).toEqual([
      ['internal', 'full'],
      ['none', undefined],
    ]);
  });
});

test('the head of a saved memory is as libvirt writes it (qemu_saveimage.h)', () => {
  const head = saveImageHead('<domain/>\n', true);
  expect(head.subarray(0, 16).toString('latin1')).toBe('LibvirtQemudSave');
  const words = new Uint32Array(head.buffer.slice(head.byteOffset + 16, head.byteOffset + 36));
  // Version, length with the zero at its end, was running, not compressed, no cookie.
  expect([...words]).toEqual([2, '<domain/>'.length + 1, 1, 0, 0]);
  expect(head.subarray(92).toString()).toBe('<domain/>\0');
});
