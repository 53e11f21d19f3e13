import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDomain, stopDomain } from '../../src/operations/domains.ts';
import { treeNow } from '../../src/operations/foreign.ts';
import { exportRecord, importRecord } from '../../src/operations/records.ts';
import type { RunState } from '../../src/toolstacks/port.ts';
import {
  boots,
  counters,
  DOMAIN,
  untilBooted,
  type World,
  worldDown,
  worldUp,
} from '../lab/cases/harness.ts';
import { ticks } from '../lab/cases/instants.ts';
import { operate, snapshotOf } from '../lab/cases/operate.ts';
import { INTERNAL } from '../lab/cases/storages.ts';
import { type LibvirtKeeper, libvirtKeeper } from './keeper.ts';

/** Small qcow2 disks, and overlays over them: virsh and domsnap both know what to do with these. */
const STORAGE = { ...INTERNAL, ending: 'external', create: { disks: 'external' } } as const;

describe('one tree, of what domsnap and virsh make', () => {
  let world: World;
  const virsh = (...args: string[]) => (world.keeper as LibvirtKeeper).daemon.virsh(...args);
  const told = async () => (await virsh('snapshot-list', DOMAIN, '--name')).split('\n').sort();
  const tree = async () => {
    const { domain, snapshots } = await treeNow(
      world.session,
      world.session.catalog.domain(DOMAIN)!,
    );
    const usable = snapshots.filter(({ kind }) => kind === 'snapshot');
    return {
      current: domain.current,
      nodes: usable.map(({ name, parent }) => `${parent ?? '-'}/${name}`),
    };
  };
  let runState: RunState = 'running';
  const does = (operation: 'create' | 'revert' | 'delete', name: string, caseId: string) => {
    const wish =
      operation === 'create'
        ? { operation, name, memory: 'none' as const, disks: 'external' as const }
        : { operation, name };
    // A snapshot of virsh's is in no catalog before it is worked with: how the domain is to stand is said.
    return operate(world, wish, caseId, { runState });
  };

  beforeAll(async () => {
    world = await worldUp(STORAGE, { keeper: libvirtKeeper });
  }, 120_000);
  afterAll(() => worldDown(world));

  test('virsh lists what domsnap makes, and says the same of it', async () => {
    await does('create', 'one', 'create.live.disk-only.external');
    expect(await told()).toEqual(['one']);
    const info = await virsh('snapshot-info', DOMAIN, 'one');
    expect(info).toMatch(/^Current: +yes$/m);
    expect(info).toMatch(/^State: +disk-snapshot$/m);
    expect(info).toMatch(/^Location: +external$/m);
    const record = await virsh('snapshot-dumpxml', DOMAIN, 'one');
    for (const { image } of snapshotOf(world, 'one').disks) expect(record).toContain(image.path);
  });

  test('what virsh makes stands in the tree at once, above what was current', async () => {
    await virsh('snapshot-create-as', DOMAIN, 'virshs', '--disk-only', '--atomic');
    expect(await tree()).toEqual({ current: 'virshs', nodes: ['-/one', 'one/virshs'] });
    // Only looked at: the catalog is as it was.
    expect(world.session.catalog.snapshot(DOMAIN, 'virshs')).toBeUndefined();
    await does('create', 'two', 'create.live.disk-only.external');
    expect(await tree()).toEqual({
      current: 'two',
      nodes: ['-/one', 'one/virshs', 'virshs/two'],
    });
    expect(await virsh('snapshot-parent', DOMAIN, 'two')).toBe('virshs');
  });

  test('it is reverted to, which libvirt 9.0 refuses, and virsh sees where the domain is', async () => {
    await expect(virsh('snapshot-revert', DOMAIN, 'virshs')).rejects.toThrow(/not supported/);
    const before = boots(world);
    await does('revert', 'virshs', 'revert.live.disk-only.external');
    await untilBooted(world, before);
    expect(await virsh('snapshot-current', DOMAIN, '--name')).toBe('virshs');
    await ticks(world);
  });

  test('it is deleted, and virsh forgets it', async () => {
    await does('delete', 'virshs', 'delete.live.chain.external');
    expect(await told()).toEqual(['one', 'two']);
    expect(await virsh('snapshot-parent', DOMAIN, 'two')).toBe('one');
    // No record names a file that is gone.
    for (const name of await told()) {
      const record = await virsh('snapshot-dumpxml', DOMAIN, name);
      for (const [, path] of record.matchAll(/source file='([^']+)'/g)) {
        expect(existsSync(path!), `${name} names ${path}`).toBe(true);
      }
    }
    await ticks(world);
  });

  test('a checkpoint that virsh keeps inside the images is loaded, and deleted', async () => {
    const at = await counters(world);
    await virsh('snapshot-create-as', DOMAIN, 'full');
    expect((await tree()).current).toBe('full');
    await ticks(world);
    const before = boots(world);
    await does('revert', 'full', 'revert.live.memory.internal');
    const now = await counters(world);
    expect(boots(world), 'the guest has not booted').toBe(before);
    expect(now.mem).toBeGreaterThanOrEqual(at.mem);
    expect(now.mem).toBeLessThan(at.mem + 100);
    await does('delete', 'full', 'delete.live.chain.internal');
    expect(await told()).toEqual(['one', 'two']);
  });

  test('what virsh deletes is gone from the tree, and the disks are where it has put them', async () => {
    await virsh('snapshot-create-as', DOMAIN, 'short', '--disk-only', '--atomic');
    await does('create', 'held', 'create.live.disk-only.external');
    await virsh('snapshot-delete', DOMAIN, 'held');
    expect((await tree()).nodes.join()).toMatch(/\/short/);
    expect((await tree()).nodes.join()).not.toContain('held');
    await does('delete', 'short', 'delete.live.chain.external');
    await ticks(world);
  });

  test('what is exported is imported, also under another name, whose delete takes nothing of the first', async () => {
    const { session } = world;
    const wish = { operation: 'create', name: 'deep', disks: 'external' } as const;
    await operate(world, wish, 'create.live.background.external');
    const record = await exportRecord(session, DOMAIN, 'deep');
    expect(await importRecord(session, DOMAIN, record, {})).toEqual([]);
    const twin = record.replace('<name>deep</name>', '<name>twin</name>');
    const [made] = await importRecord(session, DOMAIN, twin, {});
    expect(made?.memory?.path).toBe(snapshotOf(world, 'deep').memory?.path);
    await does('delete', 'twin', 'delete.live.chain.external');
    await does('revert', 'deep', 'revert.live.memory.external');
    await does('delete', 'deep', 'delete.live.chain.external');
    await ticks(world);
  });

  test('off: the same, and the domain starts on the heads that are left', async () => {
    await stopDomain(world.session, DOMAIN, {});
    runState = 'off';
    await does('create', 'off', 'create.offline.disk-only.external');
    expect(await told()).toEqual(['off', 'one', 'two']);
    await does('revert', 'one', 'revert.offline.disk-only.external');
    await does('delete', 'off', 'delete.offline.chain.external');
    const before = boots(world);
    await startDomain(world.session, DOMAIN, {});
    await untilBooted(world, before);
    await ticks(world);
  });
});
