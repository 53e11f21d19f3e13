import {
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { stopDomain } from '../../../src/operations/domains.ts';
import { RefusedError } from '../../../src/plan/refusal.ts';
import { LONG } from '../../long.ts';
import {
  behindItsBack,
  counters,
  DOMAIN,
  guestPid,
  killGuest,
  nonce,
  startAgain,
  type World,
  worldDown,
  worldUp,
} from './harness.ts';
import { ticks } from './instants.ts';
import { assertInvariants } from './invariants.ts';
import { type Meddling, meddled } from './meddle.ts';
import { type Expected, operate, recoverTo, runStateOf, snapshotOf } from './operate.ts';
import {
  emptyTrash,
  holdImage,
  impatient,
  mayMount,
  type SmallDisk,
  smallDisk,
} from './saboteurs.ts';
import { MIXED } from './storages.ts';

if (!LONG) test.skip('in the long form: DOMSNAP_LONG=1 (a minute)', () => {});

describe.skipIf(!mayMount() || !LONG)('a revert that fails on the real tools', () => {
  let disk: SmallDisk;
  let world: World;

  beforeAll(async () => {
    disk = smallDisk(320);
    world = await worldUp(MIXED, { imageFolder: disk.folder });
    const wish = { operation: 'create', name: 'm', ...MIXED.create } as const;
    await operate(world, wish, 'create.live.background.external');
  }, 120_000);
  afterEach(async () => {
    disk.free();
    emptyTrash(disk.folder);
  });
  afterAll(async () => {
    await worldDown(world);
    disk?.unmount();
  });

  const revert = (caseId: string, expected: Expected, meddling: Meddling = {}, runAfter?: 'off') =>
    operate(world, { operation: 'revert', name: 'm', runAfter }, caseId, {
      outcome: 'rolledBack',
      ...expected,
      session: meddled(expected.session ?? world.session, meddling),
    });
  const LIVE = 'revert.live.memory.external';
  const code = ({ failures }: Awaited<ReturnType<typeof revert>>) =>
    failures.map(one => `${one.step}: ${one.code}`);
  const memoryPath = () => snapshotOf(world, 'm').memory!.path;
  /** The guest that ran before goes on: the same boot, its counter never behind. */
  const undisturbed = async (body: () => Promise<void>) => {
    const before = { boot: await nonce(world), at: await counters(world) };
    await body();
    expect(await nonce(world)).toBe(before.boot);
    expect((await counters(world)).mem).toBeGreaterThan(before.at.mem);
  };
  const refusal = async () => {
    const refused = await revert(LIVE, {}).catch(error => error);
    expect(refused).toBeInstanceOf(RefusedError);
    return refused.refusals.map((one: { code: string }) => one.code);
  };
  /** Put a file out of the way while the body runs, as an administrator might. */
  const without = async (path: string, body: () => Promise<void>) => {
    renameSync(path, `${path}.away`);
    await body().finally(() => renameSync(`${path}.away`, path));
  };

  test('validateSnapshot: one byte of the memory is another; the guest runs on', async () => {
    const path = memoryPath();
    await copyFile(path, `${world.root}/memory`);
    const file = openSync(path, 'r+');
    writeSync(file, '\x01\x02\x03', 50_000_000);
    closeSync(file);
    await undisturbed(async () => {
      const settle = () => renameCopy(`${world.root}/memory`, path);
      expect(code(await revert(LIVE, { settle }))).toEqual(['validateSnapshot: damaged']);
    });
  });

  // F73: a truncated file killed the restored QEMU when the old one was gone.
  test('a memory file that is cut short, or not there, is refused while the guest runs', async () => {
    const path = memoryPath();
    await copyFile(path, `${world.root}/memory`);
    await undisturbed(async () => {
      truncateSync(path, 1_000_000);
      expect(await refusal()).toEqual(['damaged']);
      await renameCopy(`${world.root}/memory`, path);
      await without(path, async () => expect(await refusal()).toEqual(['damaged']));
    });
    await assertInvariants(world, { runState: 'running', fully: true });
  });

  test('a base that was moved away is refused while the guest runs', async () => {
    const { image } = snapshotOf(world, 'm').disks.find(({ device }) => device === 'vdb')!;
    await undisturbed(() =>
      without(image.path, async () => expect(await refusal()).toContain('damaged')),
    );
    await assertInvariants(world, { runState: 'running' });
  });

  test('prepareHeads: the file system is full', async () => {
    await undisturbed(async () => {
      const before = { createOverlay: () => disk.fill(0) };
      // The guest may have met the full disk as well: it waits for space, and for a word that there is.
      const settle = async () => {
        await disk.free();
        await behindItsBack(world, monitor => monitor.execute(z.unknown(), 'cont'));
      };
      expect(code(await revert(LIVE, { settle }, { before }))).toEqual(['prepareHeads: no-space']);
    });
  });

  test('stopDomain: QEMU does not answer in time, and runs on when it is back', async () => {
    await undisturbed(async () => {
      const pid = guestPid(world)!;
      const hang = () => {
        process.kill(pid, 'SIGSTOP');
        setTimeout(() => process.kill(pid, 'SIGCONT'), 3_000);
      };
      const session = impatient(world.session, 60_000, 2_000);
      const report = await revert(LIVE, { session }, { before: { stop: hang } });
      expect(code(report)[0]).toMatch(/^stopDomain: /);
    });
  });

  test('keepAbandoned: another process holds the image; recovery goes on when it has let go', async () => {
    let letGo = async () => {};
    const { head } = world.session.catalog.domain(DOMAIN)!.disks[0]!;
    const after = {
      stop: async () => {
        letGo = await holdImage(head.path);
      },
    };
    const report = await revert(LIVE, { outcome: 'needsAttention', runState: 'off' }, { after });
    expect(code(report)).toEqual(['keepAbandoned: in-use']);
    await letGo();
    await recoverTo(world, 'committed', 'running');
    await ticks(world);
  });

  test('applyTags: another process holds the image, off: all is put back', async () => {
    await stopDomain(world.session, DOMAIN, {});
    let letGo = async () => {};
    const { head } = world.session.catalog.domain(DOMAIN)!.disks[0]!;
    const after = {
      tag: async () => {
        letGo = await holdImage(head.path);
        setTimeout(() => void letGo(), 1_000);
      },
    };
    const report = await revert('revert.offline.disk-only.external', {}, { after }, 'off');
    expect(code(report)[0]).toBe('applyTags: in-use');
    await letGo();
  });

  test('loadMemory, off: QEMU does not take the memory, and all is put back', async () => {
    const path = memoryPath();
    await copyFile(path, `${world.root}/memory`);
    const before = { startFrom: () => truncateSync(path, 1_000_000) };
    const settle = () => renameCopy(`${world.root}/memory`, path);
    const expected = { settle, runState: 'off' } as const;
    const report = await revert('revert.offline.memory.external', expected, { before });
    expect(code(report)[0]).toBe('loadMemory: bad-memory');
    await startAgain(world);
  });

  test('loadMemory, live: the old guest is gone; recovery loads when the file is back', async () => {
    const path = memoryPath();
    await copyFile(path, `${world.root}/memory`);
    const before = { startFrom: () => truncateSync(path, 1_000_000) };
    const settle = () => renameCopy(`${world.root}/memory`, path);
    const expected = { outcome: 'needsAttention', runState: 'off', settle } as const;
    expect(code(await revert(LIVE, expected, { before }))[0]).toBe('loadMemory: bad-memory');
    await recoverTo(world, 'committed', 'running');
    await ticks(world);
  });

  test('unpauseDomain: QEMU is killed when its memory is loaded; the heads are right, it is off', async () => {
    const before = { resume: () => killGuest(world) };
    await revert(LIVE, { outcome: 'committed', runState: 'off' }, { before });
    await startAgain(world);
    await ticks(world);
  });

  test('startDomain: QEMU ends as it starts; recovery starts it when that is repaired', async () => {
    const { serialSocket } = world.lab.files;
    await operate(
      world,
      { operation: 'create', name: 'd', memory: 'none', ...MIXED.create },
      'create.live.disk-only.external',
    );
    const session = meddled(world.session, {
      after: {
        stop() {
          rmSync(serialSocket, { force: true });
          mkdirSync(serialSocket);
        },
      },
    });
    const expected = { outcome: 'needsAttention', runState: 'off', session } as const;
    const wish = { operation: 'revert', name: 'd' } as const;
    const report = await operate(world, wish, 'revert.live.disk-only.external', expected);
    expect(code(report)[0]).toBe('startDomain: start-failed');
    rmSync(serialSocket, { recursive: true });
    await recoverTo(world, 'committed', 'running');
    expect(await runStateOf(world)).toBe('running');
  });
});

/** The same content under the same name, so that only the bytes count. */
async function renameCopy(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  rmSync(from);
}
