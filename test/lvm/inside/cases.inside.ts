import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test as plainTest } from 'vitest';
import type { Snapshot } from '../../../src/catalog/model.ts';
import { startDomain, stopDomain, viewDomain } from '../../../src/operations/domains.ts';
import { counterInMemory } from '../../counting-guest.ts';
import { LONG } from '../../long.ts';
import { sh } from './commands.ts';
import {
  banBackground,
  chosenKinds,
  counterAt,
  countersOf,
  DOMAIN,
  done,
  type VolumeWorld,
  volumeWorldDown,
  volumeWorldUp,
} from './volumes.ts';

/** An emulated host on a busy one: a merge that takes a second elsewhere may take half a minute. */
const test = (name: string, body: () => unknown) => plainTest(name, { timeout: 600_000 }, body);
/** The short form goes through half of them. */
const longTest = LONG
  ? test
  : (name: string) => plainTest.skip(`${name}: in the long form, DOMSNAP_LONG=1`, () => {});

describe.each(chosenKinds().map(kind => [kind.name, kind] as const))('%s', (_, kind) => {
  let world: VolumeWorld;
  beforeAll(async () => {
    world = await volumeWorldUp(kind);
  });
  afterAll(() => volumeWorldDown(world));

  const create = async (of: string, name: string, memory: 'live' | 'paused' | 'none') => {
    const report = await done(world, { operation: 'create', name, memory });
    expect(report.caseId).toBe(`create.${of}.${kind.ending}`);
    const snapshot = world.session.catalog.snapshot(DOMAIN, name) as Snapshot;
    const [first = 0, ...others] = countersOf(snapshot);
    // One instant: each disk is as new as the one before it, or one tick older; so is memory ahead.
    let ahead = snapshot.memory ? counterInMemory(readFileSync(snapshot.memory.path)) : first;
    for (const counter of [first, ...others]) {
      expect([0, 1]).toContain(ahead - counter);
      ahead = counter;
    }
    return snapshot;
  };
  const revert = async (of: string, name: string, runAfter?: 'off') => {
    const snapshot = world.session.catalog.snapshot(DOMAIN, name) as Snapshot;
    const before = countersOf(snapshot);
    const report = await done(world, { operation: 'revert', name, runAfter });
    expect(report.caseId).toBe(`revert.${of}.${kind.ending}`);
    // It is there still, and what it holds has not changed: it is reverted to as often as one likes.
    expect(countersOf(snapshot)).toEqual(before);
    return before;
  };
  const remove = async (of: string, name: string, extent?: 'children') => {
    const report = await done(world, { operation: 'delete', name, extent });
    expect(report.caseId).toBe(`delete.${of}.${kind.ending}`);
    expect(world.session.catalog.snapshot(DOMAIN, name)).toBeUndefined();
  };
  const heads = () => world.session.catalog.domain(DOMAIN)?.disks ?? [];
  const counters = () => heads().map(({ head }) => counterAt(head));
  const isRunning = async () =>
    (await viewDomain(world.session, DOMAIN)).view.runState === 'running';

  /** The guest goes on from there: it counts, and on all disks alike. */
  const countsOnFrom = async (from: readonly number[]) => {
    expect(await isRunning()).toBe(true);
    for (let tries = 0; counters().some((count, n) => count <= (from[n] ?? 0)); tries += 1) {
      expect(tries).toBeLessThan(60);
      await new Promise(resolve => setTimeout(resolve, 250));
    }
  };

  test('create.offline.disk-only', async () => {
    await create('offline.disk-only', 'empty', 'none');
  });

  test('create.live.disk-only', async () => {
    await startDomain(world.session, DOMAIN, {});
    await countsOnFrom([0, 0]);
    await create('live.disk-only', 'disks', 'none');
    expect(await isRunning()).toBe(true);
  });

  test('create.live.background', async () => {
    await create('live.background', 'checkpoint', 'live');
    expect(await isRunning()).toBe(true);
  });

  longTest('create.live.precopy', async () => {
    banBackground(world);
    await create('live.precopy', 'streamed', 'live');
    expect(await isRunning()).toBe(true);
  });

  longTest('create.live.paused', async () => {
    await create('live.paused', 'still', 'paused');
    expect(await isRunning()).toBe(true);
  });

  test('delete.live.chain', () => remove('live.chain', LONG ? 'streamed' : 'empty'));

  test('revert.live.memory', async () => {
    const held = await revert('live.memory', 'checkpoint');
    await countsOnFrom(held);
  });

  longTest('revert.live.disk-only', async () => {
    const held = await revert('live.disk-only', 'disks');
    await countsOnFrom(held);
  });

  longTest('revert.offline.memory', async () => {
    await stopDomain(world.session, DOMAIN, {});
    const held = await revert('offline.memory', 'checkpoint');
    await countsOnFrom(held);
  });

  longTest('delete.live.children', () => remove('live.children', 'checkpoint', 'children'));

  test('revert.offline.disk-only', async () => {
    await stopDomain(world.session, DOMAIN, {});
    const held = await revert('offline.disk-only', 'disks');
    expect(counters()).toEqual(held);
  });

  longTest('delete.offline.chain', () => remove('offline.chain', 'disks'));

  test('delete.offline.children', async () => {
    await remove('offline.children', LONG ? 'empty' : 'disks', 'children');
    for (const { name } of world.session.catalog.snapshots(DOMAIN)) {
      await done(world, { operation: 'delete', name });
    }
  });

  longTest('delete.offline.standalone', async () => {
    await create('offline.disk-only', 'alone', 'none');
    await remove('offline.standalone', 'alone');
  });

  longTest('delete.live.standalone', async () => {
    await startDomain(world.session, DOMAIN, {});
    await create('live.disk-only', 'alone', 'none');
    await remove('live.standalone', 'alone');
    expect(await isRunning()).toBe(true);
    // Nothing is left over: the group holds the domain's own volumes and the pool.
    const left = await sh('lvs --noheadings -o lv_name vg0');
    const own = heads().filter(({ head }) => head.path.startsWith('/dev/vg0/')).length;
    expect(left.split(/\s+/).length).toBe(own + 1);
  });
});
