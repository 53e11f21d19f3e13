import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stopDomain } from '../../../src/operations/domains.ts';
import { TRASH } from '../../../src/storages/trash.ts';
import { LONG } from '../../long.ts';
import { ask, DOMAIN, killGuest, startAgain, type World, worldDown, worldUp } from './harness.ts';
import { ticks } from './instants.ts';
import { meddled } from './meddle.ts';
import { type Expected, operate, recoverTo, snapshotOf } from './operate.ts';
import {
  emptyTrash,
  holdImage,
  killTool,
  mayMount,
  type SmallDisk,
  smallDisk,
} from './saboteurs.ts';
import { ROOMY } from './storages.ts';

if (!LONG) test.skip('in the long form: DOMSNAP_LONG=1 (a minute)', () => {});

describe.skipIf(!mayMount() || !LONG)('a delete that fails on the real tools', () => {
  let disk: SmallDisk;
  let world: World;

  beforeAll(async () => {
    disk = smallDisk(320);
    world = await worldUp(ROOMY, { imageFolder: disk.folder });
  }, 120_000);
  afterAll(async () => {
    await worldDown(world);
    disk?.unmount();
  });

  const create = (name: string, state: 'live' | 'offline', disks = 'external') =>
    operate(
      world,
      { operation: 'create', name, memory: 'none', disks: disks as 'external' },
      `create.${state}.disk-only.${disks}`,
    );
  const remove = (name: string, caseId: string, expected: Expected = {}) =>
    operate(world, { operation: 'delete', name }, `delete.${caseId}`, expected);
  const code = ({ failures }: Awaited<ReturnType<typeof remove>>) =>
    failures.map(one => `${one.step}: ${one.code}`);
  const write = async (mib: number) => {
    for (const device of ['vda', 'vdb']) await ask(world, `write ${device} ${mib}`, 60_000);
  };
  /** A snapshot that holds much, under a head that holds half as much: its rest has to be copied up. */
  const heavy = async (name: string) => {
    await write(24);
    await create(name, 'live');
    await write(14);
  };
  /** Do something as soon as the first job tells how far it is. */
  const whenUnderWay = (what: () => void) => {
    let told = false;
    return {
      progressed() {
        if (!told) what();
        told = true;
      },
    };
  };

  test('mergeUp: called off while the jobs run', async () => {
    await heavy('v1');
    const abort = new AbortController();
    const observer = whenUnderWay(() => abort.abort('enough'));
    const expected = { outcome: 'rolledBack', observer, abort: abort.signal } as const;
    const report = await remove('v1', 'live.standalone.external', expected);
    // A job that was quicker is called off before the next effect.
    expect(code(report)[0]).toMatch(/^(mergeUp|markDissolving): aborted$/);
    await ticks(world);
  });

  test('mergeUp: QEMU is killed while its jobs run; the victim is untouched', async () => {
    await heavy('v2');
    const observer = whenUnderWay(() => void killGuest(world));
    const expected = { outcome: 'rolledBack', observer, runState: 'off' } as const;
    const report = await remove('v2', 'live.chain.external', expected);
    expect(code(report)[0]).toMatch(/^mergeUp: /);
  });

  test('mergeUp, off: qemu-img is killed', async () => {
    const killer = killTool(disk.folder, ['qemu-img', 'rebase']);
    const expected = { outcome: 'rolledBack' } as const;
    const report = await remove('v2', 'offline.chain.external', expected).finally(killer.stop);
    expect(killer.killed()).toBe(true);
    expect(code(report)[0]).toMatch(/^mergeUp: /);
  });

  test('mergeUp, off: the file system is full', async () => {
    await startAgain(world);
    await heavy('v3');
    await create('v4', 'live');
    await write(4);
    await stopDomain(world.session, DOMAIN, {});
    const observer = { planned: () => disk.fill(1) };
    const expected = { outcome: 'rolledBack', observer, settle: () => disk.free() } as const;
    const report = await remove('v3', 'offline.chain.external', expected);
    expect(code(report)).toEqual(['mergeUp: no-space']);
  });

  test('mergeDown, off: qemu-img is killed in the middle; it is done again, to the end', async () => {
    const killer = killTool(disk.folder, ['qemu-img', 'commit']);
    await remove('v4', 'offline.chain.external').finally(killer.stop);
    expect(killer.killed()).toBe(true);
    await startAgain(world);
    await ticks(world);
  });

  test('mergeDown: QEMU is killed while its jobs run; the tools of the images end it', async () => {
    await write(24);
    await create('v5', 'live');
    const observer = whenUnderWay(() => void killGuest(world));
    await remove('v5', 'live.chain.external', { observer, runState: 'off' });
    await startAgain(world);
    await ticks(world);
  });

  test('pivotMerges: QEMU is killed just before it; the tools of the images end it', async () => {
    await write(24);
    await create('v6', 'live');
    const session = meddled(world.session, { before: { pivotMerges: () => killGuest(world) } });
    await remove('v6', 'live.chain.external', { session, runState: 'off' });
    await startAgain(world);
    await ticks(world);
  });

  test('trashImages: the trash cannot be written; recovery goes on when it can', async () => {
    await stopDomain(world.session, DOMAIN, {});
    emptyTrash(disk.folder);
    const trash = join(disk.folder, TRASH);
    writeFileSync(trash, 'in the way');
    const report = await remove('v1', 'offline.chain.external', { outcome: 'needsAttention' });
    expect(code(report)[0]).toMatch(/^trashImages: /);
    expect(readFileSync(trash, 'utf8')).toBe('in the way');
    rmSync(trash);
    await recoverTo(world, 'committed', 'off');
  });

  test('deleteTags: another process holds the image; recovery goes on when it has let go', async () => {
    await create('tagged', 'offline', 'internal');
    const letGo = await holdImage(snapshotOf(world, 'tagged').disks[0]!.image.path);
    const planned = await remove('tagged', 'offline.chain.internal').catch(error => error);
    expect(planned.refusals[0].code).toBe('in-use');
    await letGo();
    let release = async () => {};
    const session = meddled(world.session, {
      before: {
        dropTag: async () => {
          release = await holdImage(snapshotOf(world, 'tagged').disks[0]!.image.path);
        },
      },
    });
    const expected = { outcome: 'needsAttention', session } as const;
    const report = await remove('tagged', 'offline.chain.internal', expected);
    expect(code(report)).toEqual(['deleteTags: in-use']);
    await release();
    await recoverTo(world, 'committed', 'off');
  });
});
