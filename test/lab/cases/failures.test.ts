import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Plan } from '../../../src/plan/plan.ts';
import { RefusedError } from '../../../src/plan/refusal.ts';
import type { CreateRequest } from '../../../src/plan/request.ts';
import type { CreateInput } from '../../../src/steps/input.ts';
import { trashFolder } from '../../../src/storages/trash.ts';
import {
  behindItsBack,
  DOMAIN,
  killGuest,
  startAgain,
  type World,
  worldDown,
  worldUp,
} from './harness.ts';
import { ticks } from './instants.ts';
import { type Meddling, meddled, withoutBackground } from './meddle.ts';
import { type Expected, operate, recoverTo, runStateOf } from './operate.ts';
import {
  emptyTrash,
  foreignMigration,
  holdAgent,
  impatient,
  mayMount,
  noMigration,
  type SmallDisk,
  smallDisk,
} from './saboteurs.ts';
import { OVERLAY } from './storages.ts';

/** Steps that only write to the journal's own database fail with it, and then no step is recorded. */
describe.skipIf(!mayMount())('a create that fails on the real tools', () => {
  let disk: SmallDisk;
  let world: World;
  let count = 0;

  beforeAll(async () => {
    disk = smallDisk(320);
    world = await worldUp(OVERLAY, { imageFolder: disk.folder });
  }, 120_000);
  afterEach(async () => {
    disk.free();
    emptyTrash(disk.folder);
    if ((await runStateOf(world)) === 'off') await startAgain(world);
    await ticks(world);
  });
  afterAll(async () => {
    await worldDown(world);
    disk?.unmount();
  });

  const create = async (
    how: 'background' | 'precopy' | 'paused' | 'disk-only',
    expected: Expected,
    meddling: Meddling = {},
    rest: Partial<CreateRequest> = {},
  ) => {
    const memory = (
      { background: 'live', precopy: 'live', paused: 'paused', 'disk-only': 'none' } as const
    )[how];
    const base = expected.session ?? world.session;
    const session = meddled(how === 'precopy' ? withoutBackground(base) : base, meddling);
    count += 1;
    const wish = { operation: 'create', name: `n${count}`, memory, ...rest } as const;
    return operate(world, wish, `create.live.${how}.external`, {
      outcome: 'rolledBack',
      ...expected,
      session,
    });
  };
  const onceIn = (step: string, what: () => void): Expected => ({
    observer: {
      recorded({ to, from }) {
        if (to === step && from !== step) what();
      },
    },
  });
  const code = ({ failures }: Awaited<ReturnType<typeof create>>) =>
    failures.map(one => `${one.step}: ${one.code}`);

  test('no room even for the plan: it is refused, and nothing is touched', async () => {
    disk.fill(20);
    const refused = await create('background', {}).catch(error => error);
    expect(refused).toBeInstanceOf(RefusedError);
    expect(refused.refusals[0].code).toBe('no-space');
  });

  test('createOverlays: the file system is full', async () => {
    const planned = () => disk.fill(0);
    const report = await create('disk-only', { observer: { planned } });
    expect(code(report)).toEqual(['createOverlays: no-space']);
  });

  test('createMemoryFile: somebody migrates the domain just now', async () => {
    const before = { prepareCapture: () => foreignMigration(world) };
    const settle = () => noMigration(world);
    const report = await create('background', { settle }, { before });
    expect(code(report)[0]).toMatch(/^createMemoryFile: /);
  });

  test('freezeGuest: the agent talks to somebody else', async () => {
    let release = () => {};
    const before = {
      freeze: async () => {
        release = await holdAgent(world);
      },
    };
    const settle = () => release();
    const report = await create('disk-only', { settle }, { before }, { quiesce: 'require' });
    expect(code(report)).toEqual(['freezeGuest: no-agent']);
  });

  test('pauseDomain: QEMU is killed just before', async () => {
    const before = { pause: () => killGuest(world) };
    const report = await create('disk-only', { runState: 'off' }, { before });
    expect(code(report)[0]).toMatch(/^pauseDomain: /);
  });

  test('quiesceDisks: somebody else lets the guest run', async () => {
    const after = {
      pause: () =>
        behindItsBack(world, async monitor => void (await monitor.execute(z.unknown(), 'cont'))),
    };
    expect(code(await create('background', {}, { after }))).toEqual(['quiesceDisks: not-paused']);
  });

  test('snapshotDisks: somebody closes an overlay that is about to be used', async () => {
    const nodes = z.array(z.object({ 'node-name': z.string(), file: z.string(), drv: z.string() }));
    const before = {
      snapshotDisks: () =>
        behindItsBack(world, async monitor => {
          const all = await monitor.execute(nodes, 'query-named-block-nodes', { flat: true });
          const overlay = all.find(({ drv, file }) => drv === 'qcow2' && file.includes('.vdb.'));
          const name = { 'node-name': overlay?.['node-name'] ?? 'none' };
          await monitor.execute(z.unknown(), 'blockdev-del', name);
        }),
    };
    const report = await create('disk-only', {}, { before });
    expect(code(report)[0]).toMatch(/^snapshotDisks: /);
  });

  test('startCapture: somebody migrates the domain; the disks are folded back', async () => {
    const before = { beginCapture: () => foreignMigration(world) };
    const settle = () => noMigration(world);
    const report = await create('background', { settle }, { before });
    expect(code(report)[0]).toMatch(/^startCapture: /);
  });

  test.each(['background', 'paused', 'precopy'] as const)(
    'the memory file finds no room, %s',
    async how => {
      const planned = () => disk.fill(12);
      const report = await create(how, { observer: { planned } });
      expect(code(report)[0]).toMatch(/(finishCapture|captureMemory): no-space/);
    },
  );

  test.each(['background', 'precopy'] as const)(
    'called off while memory is saved, %s',
    async how => {
      const abort = new AbortController();
      const step = how === 'precopy' ? 'convergeMemory' : 'finishCapture';
      const when = onceIn(step, () => setTimeout(() => abort.abort('enough'), 100));
      const report = await create(how, { ...when, abort: abort.signal });
      expect(code(report)).toEqual([`${step}: aborted`]);
    },
  );

  test('finishCapture: the deadline passes', async () => {
    const session = impatient(world.session, 10 * 60_000, 150);
    expect(code(await create('background', { session }))).toEqual(['finishCapture: deadline']);
  });

  test.each(['background', 'precopy'] as const)(
    'QEMU is killed while memory is saved, %s',
    async how => {
      const step = how === 'precopy' ? 'convergeMemory' : 'finishCapture';
      const when = onceIn(step, () => setTimeout(() => void killGuest(world), 100));
      const report = await create(how, { ...when, runState: 'off' });
      expect(code(report)[0]).toMatch(new RegExp(`^${step}: `));
    },
  );

  test('unpauseDomain: QEMU is killed when its disks are taken; the snapshot stands', async () => {
    const before = { resume: () => killGuest(world) };
    await create('disk-only', { outcome: 'committed', runState: 'off' }, { before });
  });

  test('thawGuest: the agent is gone for good; recovery thaws when it is back', async () => {
    let release = () => {};
    const after = {
      freeze: async () => {
        release = await holdAgent(world);
      },
    };
    const report = await create('disk-only', { outcome: 'needsAttention' }, { after });
    expect(code(report)[0]).toBe('thawGuest: no-agent');
    release();
    await recoverTo(world, 'committed', 'running');
  });

  test('reserve: the name is taken between the plan and the first step', async () => {
    const { journal, catalog } = world.session;
    const [one] = catalog.snapshots(DOMAIN);
    const rival = { ...one!, operation: 'rival' };
    const planned = (plan: Plan) => {
      const { name } = plan.input as CreateInput;
      const snapshot = { ...rival, name, parent: null };
      journal.note(() => catalog.apply({ catalog: 'snapshot', snapshot } as never));
    };
    const settle = () =>
      journal.note(() =>
        catalog.apply({ catalog: 'dropSnapshot', domain: DOMAIN, name: `n${count}` } as never),
      );
    const report = await create('disk-only', { observer: { planned }, settle });
    expect(code(report)).toEqual(['reserve: exists']);
  });

  test('createMemoryFile: what lies there is not written to, and not lost', async () => {
    let path = '';
    const planned = (plan: Plan) => {
      path = (plan.input as CreateInput).memory!.path;
      writeFileSync(path, 'mine');
    };
    const report = await create('background', { observer: { planned } });
    expect(code(report)).toEqual(['createMemoryFile: exists']);
    const kept = join(trashFolder(path, report.operation), basename(path));
    expect(readFileSync(kept, 'utf8')).toBe('mine');
  });
});
