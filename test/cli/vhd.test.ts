import { copyFileSync, renameSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { digestsByLibvhdi, libvhdiMissing } from '../tools/vhd/libvhdi.ts';
import { writeVhd } from '../tools/vhd/write-vhd.ts';
import { domainFile, type Place, place, qemuImg } from './domsnap.ts';
import { refused } from './refused.ts';

/** A domain `web1` that is off, on one VHD. */
async function placeWithVhd(): Promise<Place> {
  const here = place();
  qemuImg('create', '-q', '-f', 'vpc', '-o', 'force_size=on', here.path('a.vhd'), '5M');
  await add(here, 'a.vhd');
  return here;
}

const onDisk = (path: string, format = 'vpc', name = 'web1') =>
  domainFile({
    name,
    disks: [{ device: 'vda', path: `./${path}`, format }],
    monitor: `./${name}.sock`,
  });

async function add(here: Place, path: string, format = 'vpc', name = 'web1') {
  writeFileSync(here.path(`${name}.yaml`), onDisk(path, format, name));
  return here.run(['domain', 'add', here.path(`${name}.yaml`)]);
}

const headOf = async (here: Place): Promise<string> => {
  const shown = (await here.json(['domain', 'show', 'web1'])) as {
    domain: { disks: { head: { path: string } }[] };
  };
  return shown.domain.disks[0]?.head.path ?? '';
};

test('a differencing VHD is never given to QEMU: not by a start, a revert, or an overlay over it', async () => {
  const here = await placeWithVhd();
  expect((await here.run(['create', 'web1', 's1', '--disk', 'vda=vhd'])).exit).toBe(0);
  expect((await here.run(['create', 'web1', 's2'])).exit).toBe(0);
  const zeros = 'parent’s data as zeros';
  await refused(here, ['domain', 'start', 'web1'], zeros, "'domsnap delete web1 s1'", 's2');
  await refused(here, ['revert', 'web1', 's2', '--run'], zeros, 'domsnap delete web1');
  await refused(
    here,
    ['create', 'web1', 's3', '--disks', 'external'],
    'qcow2 overlay as zeros',
    'vda=vhd',
  );
  const mine = await headOf(here);
  qemuImg('create', '-q', '-u', '-f', 'qcow2', '-b', mine, '-F', 'vpc', here.path('o.qcow2'), '5M');
  const added = await add(here, 'o.qcow2', 'qcow2', 'web2');
  expect(added.exit, added.stderr).toBe(3);
  expect(added.stderr).toContain('differencing VHD');
});

test('a revert to a complete VHD that is to run goes on in a qcow2 overlay, and QEMU starts on it', async () => {
  const here = await placeWithVhd();
  await here.run(['create', 'web1', 's1', '--disk', 'vda=vhd']);
  const ran = await here.run(['revert', 'web1', 's1', '--run']);
  expect(ran.exit, ran.stderr).toBe(0);
  expect(await headOf(here)).toMatch(/\.qcow2$/);
  await refused(
    here,
    ['create', 'web1', 's2', '--memory', 'none', '--disk', 'vda=vhd'],
    'only a VHD can have a VHD child',
    'vda=external',
  );
});

test('a running domain does not go over to a VHD child; an overlay over a VHD works live', async () => {
  const here = await placeWithVhd();
  expect((await here.run(['domain', 'start', 'web1'])).exit).toBe(0);
  const live = ['create', 'web1', 's1', '--memory', 'none'];
  await refused(here, [...live, '--disk', 'vda=vhd'], 'a running web1', 'domsnap domain stop web1');
  const made = await here.run(live);
  expect(made.exit, made.stderr).toBe(0);
  expect(await headOf(here)).toMatch(/\.qcow2$/);
  expect((await here.run(['delete', 'web1', 's1'])).exit).toBe(0);
});

test('another VHD in the place of the parent is found out, by doctor too', async () => {
  const here = await placeWithVhd();
  await here.run(['create', 'web1', 's1', '--disk', 'vda=vhd']);
  renameSync(here.path('a.vhd'), here.path('real.vhd'));
  qemuImg('create', '-q', '-f', 'vpc', '-o', 'force_size=on', here.path('a.vhd'), '5M');
  await refused(here, ['create', 'web1', 's2'], 'has lost its parent', 'another VHD');
  const doctor = await here.run(['doctor', 'web1']);
  expect(doctor.exit).not.toBe(0);
  expect(doctor.stdout).toContain('has lost its parent');
  copyFileSync(here.path('real.vhd'), here.path('a.vhd'));
  expect((await here.run(['create', 'web1', 's2'])).exit).toBe(0);
});

test('a fixed VHD that is declared as raw is refused: its guest would see the footer', async () => {
  const here = place();
  qemuImg('create', '-q', '-f', 'vpc', '-o', 'subformat=fixed', here.path('a.vhd'), '5M');
  const { exit, stderr } = await add(here, 'a.vhd', 'raw');
  expect(exit).toBe(3);
  expect(stderr).toContain("write 'format: vpc'");
});

test('a way to hold a disk that there is not is bad usage', async () => {
  const here = await placeWithVhd();
  const { exit, stderr } = await here.run(['create', 'web1', 's1', '--disk', 'vda=qcow2']);
  expect(exit).toBe(2);
  expect(stderr).toContain('DISK=vhd');
});

test.skipIf(libvhdiMissing() !== '')(
  'a commit that is killed is brought to its end, and nothing is left beside the images',
  async () => {
    const here = await placeWithVhd();
    // More than its child holds: it is cheaper to write the child down.
    await writeVhd(here.path('a.vhd'), 0, 3 << 20, 7);
    await here.run(['create', 'web1', 's1', '--disk', 'vda=vhd']);
    await writeVhd(await headOf(here), 1 << 20, 4096, 8);
    const [seen] = digestsByLibvhdi([await headOf(here)]);
    const env = { DOMSNAP_FAILPOINT: 'mergeDown:inside' };
    expect((await here.run(['delete', 'web1', 's1'], env)).exit).toBe('SIGKILL');
    expect((await here.run(['recover'])).exit).toBe(0);
    expect(await headOf(here)).toBe(here.path('a.vhd'));
    expect(digestsByLibvhdi([here.path('a.vhd')])[0]?.sha256).toBe(seen?.sha256);
    expect((await here.run(['doctor'])).exit).toBe(0);
  },
);
