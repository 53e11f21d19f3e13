import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test as plainTest } from 'vitest';
import type { Snapshot } from '../../../src/catalog/model.ts';
import { startDomain, viewDomain } from '../../../src/operations/domains.ts';
import { runRequest } from '../../../src/operations/run-request.ts';
import { domsnap, sh } from './commands.ts';
import { stopWriters } from './stop-writers.ts';
import {
  DOMAIN,
  done,
  kindOf,
  type VolumeWorld,
  volumeWorldDown,
  volumeWorldUp,
} from './volumes.ts';

const test = (name: string, body: () => unknown) => plainTest(name, { timeout: 600_000 }, body);

describe('what somebody else does to thin volumes', () => {
  let world: VolumeWorld;
  beforeAll(async () => {
    world = await volumeWorldUp(kindOf('lvm-thin'));
  }, 600_000);
  afterAll(() => volumeWorldDown(world));

  const says = (...words: string[]) => domsnap(...words, '--home', world.session.home);
  const volumes = () => sh('lvs --noheadings -o lv_name --sort lv_name vg0');
  /** Take nearly all that the pool has. */
  const fill = async () => {
    await sh('lvcreate -y -qq -V 252M --thin -n filler vg0/pool');
    await sh('dd if=/dev/zero of=/dev/vg0/filler bs=1M count=246 oflag=direct 2>&1');
  };
  const makeRoom = () => sh('lvremove -y -qq vg0/filler');

  test('a disk that is deactivated: refused, with the command that brings it back', async () => {
    await sh('udevadm settle && lvchange -an vg0/data');
    const { status, said } = await says('create', DOMAIN, 'one');
    expect(status, said).toBe(3);
    expect(said).toContain("'lvchange -ay vg0/data' makes it so");
    await sh('lvchange -ay vg0/data');
    await done(world, { operation: 'create', name: 'one', memory: 'none' });
  });

  test('a disk that is mounted while the domain is off: nothing is begun on it', async () => {
    await sh('mkdir -p /run/aside && dd if=/dev/vg0/data of=/run/aside.saved bs=1M 2>&1');
    await sh('mke2fs -q -F /dev/vg0/data && mount /dev/vg0/data /run/aside');
    for (const words of [
      ['create', DOMAIN, 'two'],
      ['revert', DOMAIN, 'one'],
    ]) {
      const { status, said } = await says(...words);
      expect(status, said).toBe(3);
      expect(said).toContain('/dev/vg0/data is open, while web1 is off: it is mounted');
    }
    await sh('umount /run/aside && dd if=/run/aside.saved of=/dev/vg0/data bs=1M conv=fsync 2>&1');
  });

  test('a snapshot that is open: its delete is refused, and goes when it is closed', async () => {
    const { disks } = world.session.catalog.snapshot(DOMAIN, 'one') as Snapshot;
    await sh(`lvchange -ay -K vg0/${disks[0]?.tag}`);
    const device = `/dev/vg0/${disks[0]?.tag}`;
    const reader = spawn('sh', ['-c', `exec sleep 600 <${device}`], { stdio: 'ignore' });
    await sleep(1_000);
    const { status, said } = await says('delete', DOMAIN, 'one');
    expect(status, said).toBe(3);
    expect(said).toContain(`${device} is open`);
    const ended = new Promise(resolve => reader.once('exit', resolve));
    reader.kill('SIGKILL');
    await ended;
    expect((await says('delete', DOMAIN, 'one')).status).toBe(0);
    expect(world.session.catalog.snapshots(DOMAIN)).toEqual([]);
    expect((await volumes()).split(/\s+/)).toEqual(['data', 'pool', 'root']);
  });

  test('a pool that is full: nothing is begun, and doctor says so before', async () => {
    await fill();
    const { status, said } = await says('create', DOMAIN, 'two');
    expect(status, said).toBe(3);
    expect(said).toMatch(/the data of the thin pool vg0\/pool is 9\d\S* % full/);
    expect(said).toContain('lvextend -L +SIZE vg0/pool');
    expect((await says('doctor', DOMAIN)).said).toMatch(/thin pool vg0\/pool is 9\d % full/);
    await makeRoom();
    await done(world, { operation: 'create', name: 'two', memory: 'none' });
  });

  test('a pool that runs full while the memory is being saved: all is taken back', async () => {
    await startDomain(world.session, DOMAIN, {});
    const late = runRequest(world.session, { operation: 'create', domain: DOMAIN, name: 'late' });
    await stopWriters();
    await fill();
    const { outcome, failures } = await late;
    expect(outcome, JSON.stringify(failures)).toBe('rolledBack');
    expect(JSON.stringify(failures)).toContain('the thin pool vg0/pool runs full');
    await makeRoom();
    expect(await volumes()).not.toContain('late');
    expect((await viewDomain(world.session, DOMAIN)).view.runState).toBe('running');
  });
});
