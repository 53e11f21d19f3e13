import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../../src/tools/run.ts';
import { holdImage } from '../lab/cases/saboteurs.ts';
import {
  byteOf,
  faultHost,
  headOf,
  names,
  operate,
  quiet,
  snapshotOf,
  start,
  tell,
  writeBoth,
} from './host.ts';
import { assertWhole } from './whole.ts';

const create = (name: string, more: object = {}) =>
  ({ operation: 'create', name, ...more }) as const;
const qemuImg = (...words: string[]) => run(['qemu-img', ...words], quiet);

describe('H. around backups', () => {
  test('F68: a backup’s dirty bitmap in an image outlives create, revert and delete, and stays whole', async () => {
    const host = await faultHost();
    const image = join(host.folder, 'vda.qcow2');
    await qemuImg('bitmap', '--add', '-f', 'qcow2', image, 'backup');
    await writeBoth(host, 1, { blocks: 40 });
    await operate(host, create('s1'));
    await writeBoth(host, 2);
    await start(host);
    await operate(host, create('s2', { memory: 'none' }));
    await writeBoth(host, 3);
    await operate(host, { operation: 'delete', name: 's2' });
    await operate(host, { operation: 'delete', name: 's1' });
    await assertWhole(host, { runState: 'running' });
    await tell(host, 'quit');
    await assertWhole(host, { runState: 'off' });
    const head = headOf(host, 'vda');
    expect(await byteOf(head)).toBe(3);
    const { stdout } = await qemuImg('info', '--output=json', '-f', 'qcow2', image);
    const bitmaps = JSON.parse(stdout)['format-specific'].data.bitmaps as object[];
    expect(bitmaps).toEqual([expect.objectContaining({ name: 'backup' })]);
    await qemuImg('check', '-q', '-f', 'qcow2', image);
  });
});

describe('I. found by measuring', () => {
  test('F75: images are locked again behind saved memory, though QEMU lets go of them', async () => {
    const host = await faultHost();
    await start(host);
    await tell(host, 'stop');
    await operate(host, create('s1'));
    await assertWhole(host, { runState: 'paused' });
    await expect(holdImage(headOf(host, 'vda').path)).rejects.toThrow('held by somebody else');
    await tell(host, 'cont');
    await writeBoth(host, 2);
    await assertWhole(host, { runState: 'running' });
  });
});

describe('files that are lost in the middle', () => {
  test('a memory file that somebody removes while it is written fails the create, and only that', async () => {
    const host = await faultHost({ memoryMib: 64 });
    await start(host);
    let path = '';
    const report = await operate(host, create('s1'), {
      outcome: 'rolledBack',
      observer: {
        planned(plan) {
          if (plan.input.operation === 'create') path = plan.input.memory?.path ?? '';
        },
        recorded({ to }) {
          if (to === 'finishCapture') rmSync(path, { force: true });
        },
      },
    });
    expect(report.failures[0]?.step).toBe('finishCapture');
    await assertWhole(host, { runState: 'running' });
  });
});

describe('a clock that jumps', () => {
  test('by days, to and fro, between any two looks: operations end, and snapshots keep their order', async () => {
    const host = await faultHost();
    await start(host);
    const { clock } = host.session;
    const DAY_MS = 86_400_000;
    let looks = 0;
    const jumping = {
      ...clock,
      now() {
        looks += 1;
        return clock.now() + (looks % 2 === 0 ? 400 : -400) * DAY_MS;
      },
    };
    const session = { ...host.session, clock: jumping };
    for (const name of ['s1', 's2', 's3']) {
      await operate(host, create(name, { memory: 'none' }), { session });
    }
    await operate(host, { operation: 'revert', name: 's1' }, { session });
    await operate(host, { operation: 'delete', name: 's2' }, { session });
    expect(looks).toBeGreaterThan(20);
    expect(names(host).sort()).toEqual(['s1', 's3']);
    expect(snapshotOf(host, 's3').parent).toBe('s1');
    await assertWhole(host, { runState: 'running' });
  });
});
