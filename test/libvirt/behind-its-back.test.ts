import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runRequest } from '../../src/operations/run-request.ts';
import {
  counters,
  DOMAIN,
  startAgain,
  type World,
  worldDown,
  worldUp,
} from '../lab/cases/harness.ts';
import { ticks } from '../lab/cases/instants.ts';
import { type Meddling, meddled } from '../lab/cases/meddle.ts';
import { operate, runStateOf } from '../lab/cases/operate.ts';
import { INTERNAL } from '../lab/cases/storages.ts';
import { type LibvirtKeeper, libvirtKeeper } from './keeper.ts';

/** Small qcow2 disks, so that both kinds of snapshots are at hand. */
const STORAGE = { ...INTERNAL, ending: 'external', create: { disks: 'external' } } as const;
const timeout = 120_000;

describe('what virsh does in the middle of an operation', () => {
  let world: World;
  let count = 0;
  const virsh = (...args: string[]) => (world.keeper as LibvirtKeeper).daemon.virsh(...args);
  const heads = () => world.session.catalog.domain(DOMAIN)!.disks.map(({ head }) => head.path);
  const liveHeads = async () =>
    (await virsh('domblklist', DOMAIN)).split('\n').map(line => line.trim().split(/\s+/)[1] ?? '');
  const virshSnapshots = async () => {
    count += 1;
    await virsh('snapshot-create-as', DOMAIN, `virshs${count}`, '--disk-only', '--atomic');
  };
  const create = (name: string, disks: 'external' | 'internal', meddling: Meddling) => {
    const request = { operation: 'create', domain: DOMAIN, name, memory: 'none', disks } as const;
    return runRequest(meddled(world.session, meddling), { ...request, quiesce: 'no' });
  };
  /** No overlay of domsnap's lies beside the images that no chain has. */
  const strays = (name: string) =>
    readdirSync(dirname(heads()[0] ?? '')).filter(file => file.includes(`.${name}.`));

  beforeAll(async () => {
    world = await worldUp(STORAGE, { keeper: libvirtKeeper });
  }, 120_000);
  afterAll(() => worldDown(world));

  test.each(['external', 'internal'] as const)(
    'a snapshot of its own between our preparing and our taking: ours is taken back, and says why (%s)',
    { timeout },
    async disks => {
      const before = heads();
      const report = await create('mine', disks, { before: { pause: virshSnapshots } });
      expect(report.outcome).toBe('rolledBack');
      expect(report.failures.map(({ code }) => code)).toContain('head-moved');
      const told = report.failures.map(({ message }) => message).join();
      expect(told).toContain(`this snapshot was prepared over ${before[0]}`);
      expect(told).toContain((await liveHeads())[0]);
      expect(strays('mine')).toEqual([]);
      expect(await runStateOf(world)).toBe('running');
      await ticks(world);
      // The next command takes up what virsh has done, and goes on from there.
      await operate(
        world,
        { operation: 'create', name: `next-${disks}`, memory: 'none', disks: 'external' },
        'create.live.disk-only.external',
      );
      const parent = world.session.catalog.snapshot(DOMAIN, `next-${disks}`)?.parent;
      expect(parent).toBe(`virshs${count}`);
    },
  );

  test('a snapshot of its own right behind ours: both stay, one above the other, also for the next start', {
    timeout,
  }, async () => {
    const report = await create('under', 'external', { before: { resume: virshSnapshots } });
    expect(report).toMatchObject({ outcome: 'committed' });
    const live = await liveHeads();
    expect(await virsh('domblklist', DOMAIN, '--inactive')).toContain(live[0]);
    const wish = { operation: 'create', name: 'over', memory: 'none' } as const;
    await operate(world, wish, 'create.live.disk-only.external');
    expect(world.session.catalog.snapshot(DOMAIN, 'over')?.parent).toBe(`virshs${count}`);
    const at = await counters(world);
    await virsh('destroy', DOMAIN);
    await startAgain(world);
    const now = await counters(world);
    expect(now.vda).toBeGreaterThanOrEqual(at.vda);
  });
});
