import { afterAll, beforeAll, describe, expect, test as plainTest } from 'vitest';
import type { Snapshot } from '../../../src/catalog/model.ts';
import { startDomain, stopDomain } from '../../../src/operations/domains.ts';
import { domsnap, sh } from './commands.ts';
import { counterOf, untilBeyond } from './domain.ts';
import { joinSharing, leaveSharing } from './shared-group.ts';
import {
  countersOf,
  DOMAIN,
  done,
  kindOf,
  type VolumeWorld,
  volumeWorldDown,
  volumeWorldUp,
} from './volumes.ts';

const test = (name: string, body: () => unknown) => plainTest(name, { timeout: 600_000 }, body);

const ROOT = '/dev/vg0/root';
const DATA = '/dev/vg0/data';

/** A classic volume, a thin one and an image, in a group that lvmlockd and sanlock let hosts share. */
describe('volumes of a group that hosts share', () => {
  let world: VolumeWorld;
  beforeAll(async () => {
    await joinSharing();
    world = await volumeWorldUp(kindOf('lvm-mixed'), 'vgcreate --shared vg0 /dev/vda');
  }, 600_000);
  afterAll(async () => {
    await volumeWorldDown(world);
    await leaveSharing();
  }, 600_000);

  const says = (...words: string[]) => domsnap(...words, '--home', world.session.home);
  const again = (path: string, how: string) =>
    sh(`lvchange -an ${path} && lvchange ${how} ${path}`);
  const held = (name: string) =>
    countersOf(world.session.catalog.snapshot(DOMAIN, name) as Snapshot);

  test('active here alone: a checkpoint of the running domain, and back to it', async () => {
    await startDomain(world.session, DOMAIN, {});
    await untilBeyond(ROOT, 0);
    await done(world, { operation: 'create', name: 'one' });
    const then = held('one');
    await untilBeyond(ROOT, counterOf(ROOT) + 5);
    await done(world, { operation: 'revert', name: 'one', runAfter: 'off' });
    expect([counterOf(ROOT), counterOf(DATA)]).toEqual(then.slice(0, 2));
    expect(held('one')).toEqual(then);
    await done(world, { operation: 'revert', name: 'one' });
    await untilBeyond(ROOT, then[0]!);
    await stopDomain(world.session, DOMAIN, {});
  });

  test('a classic volume that is active in the shared way: refused, with the way out', async () => {
    await again(ROOT, '-asy');
    for (const words of [
      ['create', DOMAIN, 'two'],
      ['revert', DOMAIN, 'one'],
      ['delete', DOMAIN, 'one'],
    ]) {
      const { status, said } = await says(...words);
      expect(status, said).toBe(3);
      expect(said).toContain(
        'vda: the volume group vg0 of /dev/vg0/root is shared with other hosts',
      );
      expect(said).toContain(`'lvchange -aey ${ROOT}'`);
    }
    await again(ROOT, '-aey');
    await done(world, { operation: 'create', name: 'two', memory: 'none' });
  });

  test('the snapshots go, the volumes stay', async () => {
    for (const { name } of world.session.catalog.snapshots(DOMAIN))
      await done(world, { operation: 'delete', name });
    const left = await sh('lvs --noheadings -o lv_name --sort lv_name vg0');
    expect(left.split(/\s+/)).toEqual(['data', 'pool', 'root']);
  });
});
