import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LONG } from '../long.ts';
import { defineSmall } from './small-domain.ts';
import { type SmallWorld, smallWorld } from './small-world.ts';

// A libvirtd that is killed between writing down that it starts a domain and starting it never gets away from
// that again: no call on the domain is answered, not even destroy, and it takes it for paused.

const NAME = 'half';
const timeout = 600_000;

let world: SmallWorld;
let daemon: SmallWorld['daemon'];

beforeAll(async () => {
  if (!LONG) return;
  world = await smallWorld('stuck');
  ({ daemon } = world);
  await defineSmall(daemon, world.folder, NAME);
}, 60_000);

afterAll(() => world?.down());

if (!LONG) test.skip('in the long form: DOMSNAP_LONG=1', () => {});

test.runIf(LONG)(
  'a domain that libvirt starts for ever is refused with the way out, which works',
  {
    timeout,
  },
  async () => {
    expect((await world.run('create', NAME, 'before')).exit).toBe(0);
    await half();
    expect(await daemon.virsh('domstate', NAME)).toBe('paused');
    await expect(daemon.virsh('destroy', NAME)).rejects.toThrow('cannot acquire state change lock');

    const { exit, stderr } = await world.run('create', NAME, 'one');
    expect(exit, stderr).toBe(3);
    expect(stderr).toContain('off, while libvirt takes it for paused');
    expect(stderr).toContain(`remove /run/libvirt/qemu/${NAME}.xml`);
    const doctor = await world.here.run(['doctor', NAME]);
    expect(doctor.stdout).toContain(`remove /run/libvirt/qemu/${NAME}.xml`);

    expect(daemon.waitsForNobody(NAME)).toBe(true);
    await daemon.free(NAME);
    expect((await world.run('create', NAME, 'two')).exit).toBe(0);
  },
);

const TRIES = 300;

/** Kill the daemon in the middle of starts, until it has met the instant; that of all others is taken back. */
async function half(): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const started = daemon.virsh('start', NAME).catch(() => {});
    await sleep(15 + (tries % 75));
    daemon.kill();
    await started;
    const met = daemon.waitsForNobody(NAME);
    await daemon.ensure();
    if (met) return;
    await daemon.virsh('destroy', NAME).catch(() => {});
  }
  throw new Error(`libvirtd was not met between the two in ${TRIES} starts`);
}
