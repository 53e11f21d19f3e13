import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { StepError } from '../../src/engine/step.ts';
import { recover } from '../../src/operations/recover.ts';
import { meddled } from '../lab/cases/meddle.ts';
import { byteOf, codes, faultHost, headOf, names, operate, start, writeBoth } from './host.ts';
import { root, smallDiskForTest } from './sabotage.ts';
import { assertWhole } from './whole.ts';

const create = { operation: 'create', name: 's1', memory: 'none' } as const;
const remove = { operation: 'delete', name: 's1' } as const;
/** A base that is full of data, under a head that holds little: the head is merged down. */
const FULL = { blocks: 40 };
const LITTLE = { block: 48, blocks: 8 };

describe.skipIf(!root)('D. half done across disks', () => {
  test('F31 F32: one disk is merged, the other finds no room: it is finished later, and boots', async () => {
    const small = smallDiskForTest(16);
    const host = await faultHost({ secondFolder: small.folder });
    await writeBoth(host, 1, FULL);
    await operate(host, create);
    await writeBoth(host, 2, LITTLE);
    const report = await operate(host, remove, {
      outcome: 'needsAttention',
      observer: { planned: () => small.fill(0) },
    });
    expect(codes(report)[0]).toBe('mergeDown: no-space');
    expect(host.session.catalog.snapshot('web1', 's1')?.state).toBe('dissolving');
    small.free();
    expect((await recover(host.session, undefined)).map(({ outcome }) => outcome)).toEqual([
      'committed',
    ]);
    await assertWhole(host, { runState: 'off' });
    for (const device of ['vda', 'vdb']) {
      expect(await byteOf(headOf(host, device), 0)).toBe(1);
      expect(await byteOf(headOf(host, device), 50)).toBe(2);
    }
    await start(host);
    await assertWhole(host, { runState: 'running' });
  });

  test('F33: a merge that was done, and whose answer was lost, is not done over or failed for ever', async () => {
    const host = await faultHost();
    await writeBoth(host, 1, FULL);
    await operate(host, create);
    await writeBoth(host, 2, LITTLE);
    const lost = () => {
      throw new StepError('timeout', 'the answer was lost');
    };
    const session = meddled(host.session, { after: { commit: lost } });
    await operate(host, remove, { session });
    await assertWhole(host, { runState: 'off' });
    expect(await byteOf(headOf(host, 'vda'), 50)).toBe(2);
  });

  test('F10 F35 F37 F38: no room for the second overlay: the first goes too, and the name is free', async () => {
    const small = smallDiskForTest(16);
    const host = await faultHost({ secondFolder: small.folder });
    await start(host);
    const report = await operate(host, create, {
      outcome: 'rolledBack',
      observer: { planned: () => small.fill(0) },
    });
    expect(codes(report)[0]).toBe('createOverlays: no-space');
    expect(names(host)).toEqual([]);
    small.free();
    await assertWhole(host, { runState: 'running' });
    await operate(host, create);
    expect(dirname(headOf(host, 'vdb').path)).toBe(join(small.folder));
    await assertWhole(host, { runState: 'running' });
    await operate(host, remove);
    await assertWhole(host, { runState: 'running' });
  });
});
