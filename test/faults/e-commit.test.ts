import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { recover } from '../../src/operations/recover.ts';
import { spawnDaemon } from '../../src/tools/daemon.ts';
import { startArgv } from '../../src/toolstacks/qemu/argv.ts';
import { meddled } from '../lab/cases/meddle.ts';
import {
  byteOf,
  codes,
  type FaultHost,
  faultHost,
  headOf,
  names,
  operate,
  quiet,
  runStateOf,
  start,
  tell,
  write,
  writeBoth,
} from './host.ts';
import { readOnly, root, smallDiskForTest } from './sabotage.ts';
import { assertWhole } from './whole.ts';

const create = (name: string) => ({ operation: 'create', name, memory: 'none' }) as const;
const remove = (name: string) => ({ operation: 'delete', name }) as const;
const FULL = { blocks: 40 };
const LITTLE = { block: 48, blocks: 8 };

/** A base full of data under a head that holds little: deleting writes the head down. */
async function heavyBase(host: FaultHost): Promise<void> {
  await writeBoth(host, 1, FULL);
  await operate(host, create('s1'));
  await writeBoth(host, 2, LITTLE);
}

async function recovered(host: FaultHost): Promise<void> {
  const reports = await recover(host.session, undefined);
  expect(reports.map(({ outcome }) => outcome)).toEqual(['committed']);
}

/** Start the domain as somebody else does, who calls its nodes otherwise. */
async function startedByOthers(host: FaultHost): Promise<void> {
  const { session, config } = host;
  mkdirSync(join(session.home, 'run'), { recursive: true, mode: 0o700 });
  const argv = startArgv(config, {
    heads: config.disks.map(({ device, path, format }) => ({ device, volume: { path, format } })),
    paused: false,
    incoming: false,
    pidFile: join(session.home, 'run', 'web1.pid'),
    isBlockDevice: () => false,
  });
  const others = argv.map(word =>
    word
      .replace(/"node-name":"(vd.)"/, '"node-name":"drive-$1"')
      .replace(/drive=(vd.)/, 'drive=drive-$1'),
  );
  await spawnDaemon(others as [string, ...string[]], {
    log: quiet.log,
    logFile: join(host.folder, 'strange.log'),
  });
  while ((await runStateOf(host).catch(() => 'off')) === 'off') {
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

describe('E. commits, pivots, permissions', () => {
  test('F42: nodes and jobs are found by what they are, whatever somebody else has called them', async () => {
    const host = await faultHost();
    await startedByOthers(host);
    await heavyBase(host);
    await operate(host, create('s2'));
    await assertWhole(host, { runState: 'running' });
    await operate(host, remove('s2'));
    await operate(host, remove('s1'));
    await assertWhole(host, { runState: 'running' });
  });

  test('heads go over though somebody has let the guest run again in between', async () => {
    const host = await faultHost();
    await start(host);
    await heavyBase(host);
    const session = meddled(host.session, {
      after: { pause: async () => void (await tell(host, 'cont')) },
    });
    const report = await operate(host, remove('s1'), { session });
    expect(report.caseId).toBe('delete.live.standalone.external');
    expect(headOf(host, 'vda').path).toBe(join(host.folder, 'vda.qcow2'));
    await assertWhole(host, { runState: 'running' });
  });

  test.skipIf(!root).each(['off', 'running'] as const)(
    'F43: a base that loses its permission in the middle is merged into when it has it back, %s',
    async runState => {
      const host = await faultHost();
      if (runState === 'running') await start(host);
      await heavyBase(host);
      let undo = () => {};
      const report = await operate(host, remove('s1'), {
        outcome: 'needsAttention',
        observer: {
          planned() {
            undo = readOnly(join(host.folder, 'vdb.raw'));
          },
        },
      });
      expect(codes(report)[0]).toMatch(/^mergeDown: /);
      await assertWhole(host, { runState, waiting: true });
      undo();
      await recovered(host);
      await assertWhole(host, { runState });
      expect(await byteOf(headOf(host, 'vdb'), 50)).toBe(2);
    },
  );

  test('F46: an image that is moved away behind the plan takes everything back', async () => {
    const host = await faultHost();
    await operate(host, create('s1'));
    await writeBoth(host, 2, FULL);
    const path = join(host.folder, 'vdb.raw');
    const report = await operate(host, remove('s1'), {
      outcome: 'rolledBack',
      observer: { planned: () => renameSync(path, `${path}.away`) },
    });
    expect(codes(report)[0]).toBe('mergeUp: missing');
    renameSync(`${path}.away`, path);
    expect(names(host)).toEqual(['s1']);
    await assertWhole(host, { runState: 'off' });
    await operate(host, remove('s1'));
    await assertWhole(host, { runState: 'off' });
  });

  test.skipIf(!root)(
    'F47 F55: no space in a live merge: the guest runs on, and the merge is finished when there is some',
    async () => {
      const small = smallDiskForTest(16);
      const host = await faultHost({ secondFolder: small.folder });
      await start(host);
      await heavyBase(host);
      const report = await operate(host, remove('s1'), {
        outcome: 'needsAttention',
        observer: { planned: () => small.fill(0) },
      });
      expect(codes(report)[0]).toBe('mergeDown: no-space');
      await assertWhole(host, { runState: 'running', waiting: true });
      await write(host, 'vda', 7, { block: 2 });
      small.free();
      await recovered(host);
      await assertWhole(host, { runState: 'running' });
      expect(await byteOf(headOf(host, 'vda'), 2)).toBe(7);
      expect(await byteOf(headOf(host, 'vdb'), 50)).toBe(2);
    },
  );
});
