import { expect, test } from 'vitest';
import { StepError } from '../../../src/engine/step.ts';
import { askPools } from '../../../src/toolstacks/libvirt/ask-pools.ts';
import { readDescription, withHeads } from '../../../src/toolstacks/libvirt/domain-xml.ts';
import { withFiles } from '../../../src/toolstacks/libvirt/snapshot-xml.ts';

const disk = (device: string, pool: string, volume: string, format = 'qcow2') => `
  <disk type='volume' device='disk'><driver name='qemu' type='${format}'/>
    <source pool='${pool}' volume='${volume}' mode='host'/><target dev='${device}'/></disk>`;
const DOMAIN = `<domain><name>a</name><uuid>u</uuid><devices>
  ${disk('vda', 'images', 'a.qcow2')}${disk('vdb', 'vg', 'data', 'raw')}
  ${disk('vdc', 'ceph', 'c')}${disk('vdd', 'gone', 'd')}${disk('vde', 'images', '../etc/passwd')}
</devices></domain>`;

const POOLS: Record<string, string> = {
  images: `<pool type='dir'><name>images</name><target><path>/srv/images/</path></target></pool>`,
  vg: `<pool type='logical'><name>vg</name><target><path>/dev/vg</path></target></pool>`,
  ceph: `<pool type='rbd'><name>ceph</name><source><name>ceph</name></source></pool>`,
};

const asked: string[] = [];
const pools = () =>
  askPools(DOMAIN, async name => {
    asked.push(name);
    const xml = POOLS[name];
    if (xml !== undefined) return xml;
    throw new StepError('refused', 'no storage pool with matching name', { retryable: false });
  });

test('volumes of pools that have folders are where the pool says; each pool is asked about once', async () => {
  const { disks } = readDescription(DOMAIN, await pools());
  expect(asked).toEqual(['images', 'vg', 'ceph', 'gone']);
  expect(disks.map(({ device, volume }) => ({ device, ...volume }))).toEqual([
    { device: 'vda', path: '/srv/images/a.qcow2', format: 'qcow2' },
    { device: 'vdb', path: '/dev/vg/data', format: 'raw' },
  ]);
});

test('volumes that have no path are in no snapshot, each for its reason', async () => {
  const { others } = readDescription(DOMAIN, await pools());
  expect(others.map(({ device, why }) => `${device}: ${why}`)).toEqual([
    'vdc: it is the volume c of the pool ceph, which is of the type rbd',
    'vdd: it is the volume d of the pool gone, which libvirt does not know',
    'vde: it is the volume ../etc/passwd of the pool images, which is no name of a file',
  ]);
});

test('a libvirt that does not answer is no libvirt without the pool', async () => {
  const lost = new StepError('no-libvirt', 'gone', { retryable: true });
  await expect(askPools(DOMAIN, () => Promise.reject(lost))).rejects.toBe(lost);
});

test('a head that is no volume is a file; disks that have not moved stay volumes', async () => {
  const volume = { path: '/srv/images/a.overlay', format: 'qcow2' };
  const after = withHeads(DOMAIN, [{ device: 'vda', volume }]);
  expect(readDescription(after, await pools()).disks[0]?.volume).toEqual(volume);
  expect(after).toContain(`<source file="/srv/images/a.overlay"/>`);
  expect(after).toContain(`<source pool="vg" volume="data" mode="host"/>`);
});

test('a record names what has taken the place of a volume', async () => {
  const record = `<domainsnapshot><name>s</name>${DOMAIN}</domainsnapshot>`;
  const moved = withFiles(record, new Map([['/srv/images/a.qcow2', '/srv/b']]), await pools());
  expect(moved).toContain(`<source file="/srv/b"/>`);
  expect(withFiles(record, new Map([['/srv/other', '/srv/b']]), await pools())).toBeNull();
});
