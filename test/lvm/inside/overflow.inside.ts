import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDomain, viewDomain } from '../../../src/operations/domains.ts';
import { planRequest, runRequest } from '../../../src/operations/run-request.ts';
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

const MIB = 2 ** 20;

describe('a snapshot with less room than its volume', () => {
  let world: VolumeWorld;
  beforeAll(async () => {
    world = await volumeWorldUp(kindOf('lvm'));
    const room = { bytes: 4 * MIB };
    await done(world, { operation: 'create', name: 'small', memory: 'none', room });
  }, 600_000);
  afterAll(() => volumeWorldDown(world));

  const fill = async (mib: number) => {
    await sh(`dd if=/dev/urandom of=/dev/vg0/root bs=1M seek=1 count=${mib} oflag=direct 2>&1`);
    await sh('udevadm settle');
  };
  const said = async (...words: string[]) =>
    (await domsnap(...words, '--home', world.session.home)).said;

  test('says how full it is', async () => {
    await fill(2);
    expect(await said('list', DOMAIN)).toMatch(/small .* 5\d % of its room/);
  });

  test('is lost when it has run full: list, doctor and a plan say so; the disk is whole', async () => {
    await fill(6);
    expect(await said('list', DOMAIN)).toMatch(/small .* unusable: it ran full/);
    expect(await said('doctor', DOMAIN)).toMatch(
      /vg0\/root\.small\.\w+, which holds a disk of small, is lost/,
    );
    const { plan } = await planRequest(world.session, {
      operation: 'revert',
      domain: DOMAIN,
      name: 'small',
    });
    expect(plan.refusals).toMatchObject([
      { code: 'damaged', message: expect.stringContaining('ran full') },
    ]);
  });

  test('can be deleted all the same, and another one taken', async () => {
    await done(world, { operation: 'delete', name: 'small' });
    expect(await sh('lvs --noheadings -o lv_name vg0')).toMatch(/^data\s+pool\s+root$/);
    await done(world, { operation: 'create', name: 'next', memory: 'none' });
  });

  test('that runs full while the memory is being saved is no success: all is taken back', async () => {
    await done(world, { operation: 'delete', name: 'next' });
    await startDomain(world.session, DOMAIN, {});
    const late = runRequest(world.session, {
      operation: 'create',
      domain: DOMAIN,
      name: 'late',
      room: { bytes: 4 * MIB },
    });
    // Meanwhile the guest's disk is written to.
    await stopWriters();
    await fill(6);
    const { outcome, failures } = await late;
    expect(outcome, JSON.stringify(failures)).toBe('rolledBack');
    expect(JSON.stringify(failures)).toMatch(/vg0\/root\.late\.\w+ is lost: it ran full/);
    expect(await sh('lvs --noheadings -o lv_name vg0')).toMatch(/^data\s+pool\s+root$/);
    expect((await viewDomain(world.session, DOMAIN)).view.runState).toBe('running');
  });
});
