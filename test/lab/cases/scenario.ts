import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { startDomain, stopDomain } from '../../../src/operations/domains.ts';
import { LONG } from '../../long.ts';
import { countersOf } from './contents.ts';
import {
  behindItsBack,
  boots,
  counters,
  DOMAIN,
  untilBooted,
  type World,
  type WorldOptions,
  worldDown,
  worldUp,
} from './harness.ts';
import { revertToTheInstant, ticks } from './instants.ts';
import { assertInvariants } from './invariants.ts';
import { withoutBackground } from './meddle.ts';
import { type Expected, operate, snapshotOf, type Wish } from './operate.ts';
import type { Storage } from './storages.ts';
import { compareProved } from './table.ts';

/** A checkpoint can be reverted to as often as one likes. */
const REVERTS = LONG ? 5 : 2;

/**
 * All fifteen cases of a storage, on one guest, one after the other, as a user would meet them: each
 * test goes on from the tree that the one before it left.
 */
export function provesEveryCase(storage: Storage, options: WorldOptions = {}): void {
  const under = options.keeper ? 'libvirt' : 'real QEMU';
  describe(`every case on ${under}, ${storage.name}`, () => {
    let world: World;
    const proved = new Set<string>();
    const name = (one: string) => `${one}.${storage.ending}`;
    const does = async (wish: Wish, caseName: string, expected?: Expected) => {
      const report = await operate(world, wish, name(caseName), expected);
      proved.add(report.caseId);
    };
    const create = (rest: Partial<Wish> & { name: string }): Wish =>
      ({ operation: 'create', ...storage.create, ...rest }) as Wish;
    const instant = async (snapshot: string, caseName: string) => {
      await revertToTheInstant(world, snapshot, name(caseName));
      proved.add(name(caseName));
    };
    const names = () => world.session.catalog.snapshots(DOMAIN).map(one => one.name);
    /** One after the other, oldest first: each stands in a chain with what is kept, or by itself. */
    const deleteAllBut = async (kept: string, state: string) => {
      for (const other of names().filter(one => one !== kept)) {
        const all = world.session.catalog.snapshots(DOMAIN);
        const { parent } = snapshotOf(world, other);
        const alone = parent === null && !all.some(one => one.parent === other);
        const place = alone ? 'standalone' : 'chain';
        await does({ operation: 'delete', name: other }, `delete.${state}.${place}`);
      }
    };
    const qmp = (command: string) =>
      behindItsBack(world, monitor => monitor.execute(z.unknown(), command));

    beforeAll(async () => {
      world = await worldUp(storage, options);
    }, 120_000);
    afterAll(() => worldDown(world));

    test('live creates: in the background, disk-only, paused, by pre-copy', async () => {
      await does(create({ name: 'a' }), 'create.live.background');
      await does(create({ name: 'b', memory: 'none' }), 'create.live.disk-only');
      expect(snapshotOf(world, 'b').consistency).toBe('guest-frozen');
      await does(create({ name: 'c', memory: 'paused' }), 'create.live.paused');
      const session = withoutBackground(world.session);
      await does(create({ name: 'd' }), 'create.live.precopy', { session });
      await ticks(world);
    });

    test('each checkpoint has its memory and disks of one instant', async () => {
      await instant('a', 'revert.live.memory');
      await instant('d', 'revert.live.memory');
      await instant('c', 'revert.live.memory');
    });

    test('a domain that its user has paused stays paused through create and delete', async () => {
      await qmp('stop');
      await does(create({ name: 'still' }), 'create.live.paused');
      await does(create({ name: 'stiller', memory: 'none' }), 'create.live.disk-only');
      await does({ operation: 'delete', name: 'stiller' }, 'delete.live.chain');
      await instant('still', 'revert.live.memory');
    });

    test('a live delete with children takes the branches below too', async () => {
      await does({ operation: 'delete', name: 'd', extent: 'children' }, 'delete.live.children');
      await ticks(world);
    });

    test('the disks alone, live: the guest boots on what the snapshot held', async () => {
      const before = boots(world);
      const at = countersOf(world, snapshotOf(world, 'b'));
      await does({ operation: 'revert', name: 'b' }, 'revert.live.disk-only');
      await untilBooted(world, before);
      const now = await counters(world);
      expect(now.mem).toBeGreaterThanOrEqual(at.vda!.n);
    });

    test(`${REVERTS} reverts to the same checkpoint, and its content never changes`, async () => {
      let most = 0;
      for (let round = 0; round < REVERTS; round += 1) {
        await does({ operation: 'revert', name: 'a' }, 'revert.live.memory');
        const now = await ticks(world);
        most = Math.max(most, now);
      }
      const at = countersOf(world, snapshotOf(world, 'a'));
      expect(most).toBeGreaterThan(at.vda!.n);
    });

    test('live deletes: several children, middle, first, last, children only', async () => {
      const children = world.session.catalog
        .snapshots(DOMAIN)
        .filter(({ parent }) => parent === 'a');
      expect(children.length).toBeGreaterThan(1);
      await does({ operation: 'delete', name: 'b' }, 'delete.live.chain');
      await does({ operation: 'delete', name: 'a' }, 'delete.live.chain');
      await ticks(world);
      await does({ operation: 'revert', name: 'c' }, 'revert.live.memory');
      await does(create({ name: 'leaf' }), 'create.live.background');
      await does({ operation: 'delete', name: 'leaf' }, 'delete.live.chain');
      await does(
        { operation: 'delete', name: 'c', extent: 'children-only' },
        'delete.live.children',
      );
      await deleteAllBut('c', 'live');
      await does({ operation: 'delete', name: 'c' }, 'delete.live.standalone');
      expect(names()).toEqual([]);
      await ticks(world);
    });

    test('off: creates, reverts with and without memory', async () => {
      await does(create({ name: 'm' }), 'create.live.background');
      await stopDomain(world.session, DOMAIN, {});
      await does(create({ name: 'o', memory: 'none' }), 'create.offline.disk-only');
      await does(create({ name: 'p' }), 'create.offline.disk-only');
      await does({ operation: 'revert', name: 'o' }, 'revert.offline.disk-only');
      await does({ operation: 'revert', name: 'm', runAfter: 'off' }, 'revert.offline.disk-only');
      await instant('m', 'revert.offline.memory');
      await ticks(world);
      await stopDomain(world.session, DOMAIN, {});
    });

    test('off: deletes', async () => {
      await does({ operation: 'delete', name: 'o' }, 'delete.offline.chain');
      await does(
        { operation: 'delete', name: 'm', extent: 'children-only' },
        'delete.offline.children',
      );
      await does(create({ name: 'q' }), 'create.offline.disk-only');
      await does({ operation: 'delete', name: 'm' }, 'delete.offline.chain');
      await deleteAllBut('q', 'offline');
      await does({ operation: 'delete', name: 'q' }, 'delete.offline.standalone');
      expect(names()).toEqual([]);
    });

    test('the domain starts on the heads that are left, and all contents were right to the end', async () => {
      const before = boots(world);
      await startDomain(world.session, DOMAIN, {});
      await untilBooted(world, before);
      await sleep(200);
      await ticks(world);
      await assertInvariants(world, { runState: 'running', fully: true });
    });

    test('these are the cases that the table of the README shows', () => {
      compareProved(options.keeper ? `libvirt-${storage.name}` : storage.name, proved);
    });
  });
}
