import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { StepError } from '../../src/engine/step.ts';
import { planRequest } from '../../src/operations/run-request.ts';
import { run } from '../../src/tools/run.ts';
import { meddled } from '../lab/cases/meddle.ts';
import {
  addAgain,
  byteOf,
  DOMAIN,
  faultHost,
  headOf,
  names,
  operate,
  quiet,
  snapshotOf,
  start,
  writeBoth,
} from './host.ts';
import { assertWhole } from './whole.ts';

const create = (name: string, more: object = {}) =>
  ({ operation: 'create', name, ...more }) as const;
const revert = (name: string) => ({ operation: 'revert', name }) as const;
const remove = (name: string) => ({ operation: 'delete', name }) as const;

describe('C. data that a delete or a revert loses', () => {
  test('F24: deleting an external snapshot leaves the image of its internal parent', async () => {
    const host = await faultHost();
    await writeBoth(host, 1);
    await operate(host, create('inside', { disk: { vda: 'internal' } }));
    await writeBoth(host, 2);
    await operate(host, create('outside'));
    await writeBoth(host, 3);
    await assertWhole(host, { runState: 'off' });
    await operate(host, remove('outside'));
    await assertWhole(host, { runState: 'off' });
    expect(await byteOf(headOf(host, 'vda'))).toBe(3);
    await operate(host, revert('inside'));
    expect(await byteOf(headOf(host, 'vda'))).toBe(1);
  });

  test('F25: deleting the newest of a chain, then the middle one, leaves the others', async () => {
    const host = await faultHost();
    for (const n of [1, 2, 3]) {
      await writeBoth(host, n);
      await operate(host, create(`s${n}`));
    }
    await writeBoth(host, 4);
    await assertWhole(host, { runState: 'off' });
    await operate(host, remove('s3'));
    await assertWhole(host, { runState: 'off' });
    await operate(host, remove('s2'));
    await assertWhole(host, { runState: 'off' });
    expect(await byteOf(headOf(host, 'vdb'))).toBe(4);
    await operate(host, revert('s1'));
    expect(await byteOf(headOf(host, 'vdb'))).toBe(1);
  });

  test('F26: no qemu-img touches a tag or an image that a running domain writes to', async () => {
    const host = await faultHost();
    await start(host);
    await operate(host, create('s1', { memory: 'none', disk: { vda: 'internal' } }));
    const { steps } = await planRequest(host.session, { ...remove('s1'), domain: DOMAIN });
    const used = steps.flatMap(({ commands }) => commands);
    const tags = used.filter(one => JSON.stringify(one).includes('internal-sync'));
    expect(tags.map(({ tool }) => tool)).toEqual(['qmp']);
    expect(used.filter(({ tool }) => tool === 'exec')).toEqual([]);
    await operate(host, remove('s1'));
    await assertWhole(host, { runState: 'running' });
  });

  test('F27: a revert that fails changes no record of any snapshot', async () => {
    const host = await faultHost();
    for (const name of ['s1', 's2']) {
      await writeBoth(host, name === 's1' ? 1 : 2);
      await operate(host, create(name));
    }
    await assertWhole(host, { runState: 'off' });
    const before = host.session.catalog.snapshots(DOMAIN);
    const fails = () => {
      throw new StepError('io', 'this test makes it fail', { retryable: false });
    };
    const session = meddled(host.session, { before: { createOverlay: fails } });
    await operate(host, revert('s1'), { outcome: 'rolledBack', session });
    expect(host.session.catalog.snapshots(DOMAIN)).toEqual(before);
    await assertWhole(host, { runState: 'off' });
  });

  test('F28 F56: reverting, deleting what two branches stand on, and reverting again finds all that it needs', async () => {
    const host = await faultHost();
    await writeBoth(host, 1);
    await operate(host, create('s1'));
    await writeBoth(host, 2);
    await operate(host, create('s2'));
    await operate(host, revert('s1'));
    await writeBoth(host, 3);
    await operate(host, create('s3'));
    await assertWhole(host, { runState: 'off' });
    await operate(host, remove('s1'));
    await operate(host, revert('s2'));
    await assertWhole(host, { runState: 'off' });
    expect(await byteOf(headOf(host, 'vda'))).toBe(2);
    await operate(host, revert('s3'));
    expect(await byteOf(headOf(host, 'vda'))).toBe(3);
    await operate(host, remove('s2'));
    await assertWhole(host, { runState: 'off' });
  });

  test('F29: a disk that was attached after the snapshot stays as it is, and where it is', async () => {
    const host = await faultHost();
    await operate(host, create('s1'));
    const path = join(host.folder, 'vdc.raw');
    await run(['qemu-img', 'create', '-q', '-f', 'raw', path, '1M'], quiet);
    const vdc = { ...host.config.disks[1]!, device: 'vdc', path };
    await addAgain(host, { disks: [...host.config.disks, vdc] });
    await run(['qemu-io', '-f', 'raw', '-c', 'write -P 7 0 64k', path], quiet);
    await operate(host, revert('s1'));
    expect(headOf(host, 'vdc').path).toBe(path);
    expect(await byteOf({ path, format: 'raw' })).toBe(7);
    expect(statSync(path).nlink).toBe(1);
    await assertWhole(host, { runState: 'off' });
  });

  test('F30: a checkpoint behind a disk-only snapshot is reverted to, memory and all', async () => {
    const host = await faultHost();
    await start(host);
    await writeBoth(host, 1);
    await operate(host, create('disks', { memory: 'none' }));
    await writeBoth(host, 2);
    await operate(host, create('whole'));
    await writeBoth(host, 3);
    await assertWhole(host, { runState: 'running' });
    const { caseId } = await operate(host, revert('whole'));
    expect(caseId).toBe('revert.live.memory.external');
    expect(snapshotOf(host, 'whole').memory).not.toBeNull();
    await assertWhole(host, { runState: 'running' });
    expect(names(host)).toEqual(['disks', 'whole']);
  });
});
