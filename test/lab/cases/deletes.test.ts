import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stopDomain } from '../../../src/operations/domains.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import { RefusedError } from '../../../src/plan/refusal.ts';
import type { DeleteInput, RevertInput } from '../../../src/steps/input.ts';
import { ask, DOMAIN, type World, worldDown, worldUp } from './harness.ts';
import { revertToTheInstant, ticks } from './instants.ts';
import { operate, snapshotOf, type Wish } from './operate.ts';
import { ROOMY } from './storages.ts';

describe('the two ways to merge, and mixed histories', () => {
  let world: World;
  let plan: Plan;
  const observer = {
    planned(made: Plan) {
      plan = made;
    },
  };
  const create = (name: string, rest: Partial<Wish> = {}) =>
    operate(
      world,
      { operation: 'create', name, memory: 'none', disks: 'external', ...rest } as Wish,
      `create.live.disk-only.${(rest as { disks?: string }).disks ?? 'external'}`,
    );
  /** Which ways a delete took, as its plan says: `live down` for a job that writes into the victim. */
  const deletes = async (name: string, caseId: string) => {
    await operate(world, { operation: 'delete', name }, caseId, { observer });
    const { mergesUp, mergesDown } = plan.input as DeleteInput;
    const way = (which: string) => (one: { live: boolean; device: string }) =>
      `${one.device} ${one.live ? 'live' : 'tool'} ${which}`;
    return [...mergesUp.map(way('up')), ...mergesDown.map(way('down'))].sort();
  };
  /** Five MiB of noise on both disks. */
  const write = async () => {
    for (const device of ['vda', 'vdb']) {
      expect(await ask(world, `write ${device} 5`, 60_000)).toBe('written=5');
    }
  };
  const CHAIN = 'delete.live.chain.external';

  beforeAll(async () => {
    world = await worldUp(ROOMY);
  }, 120_000);
  afterAll(() => worldDown(world));

  test('first of a chain: the little that its child holds goes down into it', async () => {
    await write();
    await create('s1');
    await create('s2');
    await create('s3');
    expect(await deletes('s1', CHAIN)).toEqual(['vda live down', 'vdb live down']);
    await ticks(world);
  });

  test('middle of a chain, under a full head: the little that it holds goes up', async () => {
    await write();
    expect(await deletes('s3', CHAIN)).toEqual(['vda live up', 'vdb live up']);
    await ticks(world);
  });

  test('last of a chain: a head goes down into a full victim, while the guest stands still', async () => {
    await create('s4');
    expect(await deletes('s4', CHAIN)).toEqual(['vda live down', 'vdb live down']);
    await ticks(world);
  });

  test('off the running branch: by the tools of the images, in both directions', async () => {
    await operate(
      world,
      { operation: 'create', name: 'fork', disks: 'external' },
      'create.live.background.external',
    );
    await write();
    await create('b1');
    await create('b2');
    await create('b3');
    await revertToTheInstant(world, 'fork', 'revert.live.memory.external');
    expect(await deletes('b1', CHAIN)).toEqual(['vda tool down', 'vdb tool down']);
    expect(await deletes('b3', CHAIN)).toEqual(['vda tool up', 'vdb tool up']);
    await ticks(world);
  });

  test('two children, one of them running: each gets a copy of its own', async () => {
    expect(await deletes('fork', CHAIN)).toEqual([
      'vda live up',
      'vda tool up',
      'vdb live up',
      'vdb tool up',
    ]);
    await ticks(world);
  });

  test('an internal snapshot below a running head cannot be deleted, and says what to do', async () => {
    await create('inside', { disks: 'internal' });
    await create('above');
    const before = world.session.catalog.snapshots(DOMAIN);
    const wish = { operation: 'delete', name: 'inside' } as const;
    const refused = await operate(world, wish, 'none').catch(error => error);
    expect(refused).toBeInstanceOf(RefusedError);
    expect(refused.refusals[0]).toMatchObject({ code: 'tag-in-base' });
    expect(world.session.catalog.snapshots(DOMAIN)).toEqual(before);
  });

  // F24, and the design: an image that holds an internal snapshot anyone still lists stays.
  test('an image that holds a listed internal snapshot is never merged away', async () => {
    const { image } = snapshotOf(world, 'inside').disks[0]!;
    expect(snapshotOf(world, 'above').disks[0]!.image).toEqual(image);
    expect(await deletes('above', CHAIN)).toEqual([]);
    expect(snapshotOf(world, 'inside').disks[0]!.image).toEqual(image);
  });

  test('an internal snapshot whose image has become a base is reverted to by a copy of it', async () => {
    const wish = { operation: 'revert', name: 'inside', runAfter: 'off' } as const;
    await operate(world, wish, 'revert.live.disk-only.internal', { observer });
    const { disks } = plan.input as RevertInput;
    expect(disks.map(({ how }) => how)).toEqual(['extract', 'extract']);
  });

  test('off: the same two ways, by the tools of the images', async () => {
    const off = (name: string): [Wish, string] => [
      { operation: 'create', name, disks: 'external' },
      'create.offline.disk-only.external',
    ];
    await operate(world, ...off('o1'));
    await operate(world, ...off('o2'));
    const chain = 'delete.offline.chain.external';
    expect(await deletes('o2', chain)).toEqual(['vda tool up', 'vdb tool up']);
    expect(await deletes('o1', chain)).toEqual(['vda tool down', 'vdb tool down']);
  });

  test('everything can be deleted, in any order, and the heads are left', async () => {
    await stopDomain(world.session, DOMAIN, {});
    for (const { name } of [...world.session.catalog.snapshots(DOMAIN)].reverse()) {
      const last = world.session.catalog.snapshots(DOMAIN).length === 1;
      const report = await operate(
        world,
        { operation: 'delete', name },
        expect.any(String) as never,
      );
      if (last) expect(report.caseId).toContain('standalone');
    }
    expect(world.session.catalog.snapshots(DOMAIN)).toEqual([]);
  });
});
