import { chmodSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test as plainTest } from 'vitest';
import { qemuOf } from '../../../src/toolstacks/libvirt/passthrough.ts';
import { type Place, place } from '../../cli/domsnap.ts';
import { sh } from '../../lvm/inside/commands.ts';
import { TestLibvirtd } from '../daemon.ts';
import { defineSmall } from '../small-domain.ts';

const PROFILES = ['usr.sbin.libvirtd', 'usr.lib.libvirt.virt-aa-helper'];
/** Under emulation, on a host that may be busy with other tests. */
const test = (name: string, body: () => unknown) => plainTest(name, { timeout: 600_000 }, body);

describe('a guest whose QEMU AppArmor confines', () => {
  let folder: string;
  let daemon: TestLibvirtd;
  let here: Place;
  const cleanings: (() => void)[] = [];

  beforeAll(async () => {
    await sh('mount -t securityfs securityfs /sys/kernel/security');
    for (const one of PROFILES) await sh(`apparmor_parser --replace /etc/apparmor.d/${one}`);
    folder = mkdtempSync(join(tmpdir(), 'domsnap-aa-'));
    chmodSync(folder, 0o755);
    daemon = await TestLibvirtd.start(join(folder, 'libvirt'), 'libvirt-qemu', 'apparmor');
    here = place(clean => cleanings.push(clean));
    await defineSmall(daemon, folder, 'running');
    const rest = await defineSmall(daemon, folder, 'restarted');
    await sh(`qemu-io -f qcow2 -c 'write -P 7 0 12M' ${rest}`);
  }, 600_000);

  afterAll(async () => {
    for (const name of ['running', 'restarted'])
      await daemon.virsh('destroy', name).catch(() => {});
    await daemon.close();
    for (const clean of cleanings) clean();
  });

  const does = async (...words: string[]) => {
    const { exit, stderr } = await here.run([...words, '--connect', daemon.uri]);
    expect(exit, `${words.join(' ')}: ${stderr}`).toBe(0);
  };
  const uuidOf = (name: string) => daemon.virsh('domuuid', name);
  const headOf = async (name: string) =>
    (await daemon.virsh('domblklist', name)).trim().split(/\s+/)[1] ?? '';
  const profileOf = async (name: string) => {
    const pid = qemuOf(await uuidOf(name))?.pid;
    return readFileSync(`/proc/${pid}/attr/current`, 'utf8').trim();
  };

  test('is confined', async () => {
    await daemon.virsh('start', 'running');
    expect(await profileOf('running')).toBe(`libvirt-${await uuidOf('running')} (enforce)`);
  });

  test('is snapshotted, reverted and its snapshots deleted while it runs', async () => {
    const name = 'running';
    await does('create', name, 'disks', '--memory', 'none');
    await does('create', name, 'paused', '--memory', 'paused');
    await does('create', name, 'live');
    await does('create', name, 'inside', '--disks', 'internal');
    await does('revert', name, 'live');
    await does('revert', name, 'disks');
    for (const one of ['inside', 'live', 'paused', 'disks']) await does('delete', name, one);
    expect(await daemon.virsh('domstate', name)).toBe('running');
    expect(await profileOf(name)).toContain('(enforce)');
    const { exit, stdout } = await here.run(['doctor', name]);
    expect(exit, stdout).toBe(0);
  });

  test('may only read what was a base when it was started: virsh cannot merge down into it', async () => {
    const name = 'restarted';
    await does('create', name, 'one');
    await daemon.virsh('start', name);
    const merge = daemon.virsh('blockcommit', name, 'vda', '--active', '--wait', '--pivot');
    await expect(merge).rejects.toThrow('Permission denied');
  });

  test('and domsnap merges up then, however much that is', async () => {
    const name = 'restarted';
    const head = await headOf(name);
    await does('delete', name, 'one');
    expect(await headOf(name)).toBe(head);
    await daemon.virsh('destroy', name);
    expect(JSON.parse(await sh(`qemu-img info --output=json ${head}`))).not.toHaveProperty(
      'backing-filename',
    );
    expect(await sh(`qemu-io -f qcow2 -c 'read -P 7 0 12M' ${head}`)).not.toContain('failed');
  });
});
