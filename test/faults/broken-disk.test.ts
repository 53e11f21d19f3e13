import { expect, test } from 'vitest';
import { recover } from '../../src/operations/recover.ts';
import { runRequest } from '../../src/operations/run-request.ts';
import {
  byteOf,
  DOMAIN,
  faultHost,
  headOf,
  operate,
  runStateOf,
  start,
  writeBoth,
} from './host.ts';
import { breakableDisk, root } from './sabotage.ts';
import { assertWhole, contentsStand } from './whole.ts';

const create = { operation: 'create', name: 's1', memory: 'none' } as const;
const remove = { operation: 'delete', name: 's1' } as const;

test.skipIf(!root)(
  'a file system that turns read-only in the middle: all goes back, or on once it is repaired',
  async context => {
    const disk = breakableDisk(64);
    if (!disk) return context.skip('this host has no loop devices');
    const host = await faultHost({ secondFolder: disk.folder });
    await writeBoth(host, 1, { blocks: 40 });
    const readOnly = { planned: () => disk.remountReadOnly() };
    const report = await operate(host, create, { outcome: 'rolledBack', observer: readOnly });
    expect(report.failures[0]).toMatchObject({ step: 'createOverlays', code: 'permission' });
    disk.remountWritable();
    await assertWhole(host, { runState: 'off' });
    await operate(host, create);
    await writeBoth(host, 2);
    const stuck = await operate(host, remove, { outcome: 'needsAttention', observer: readOnly });
    expect(stuck.failures[0]).toMatchObject({ step: 'mergeDown', code: 'permission' });
    disk.remountWritable();
    expect((await recover(host.session, undefined))[0]?.outcome).toBe('committed');
    await assertWhole(host, { runState: 'off' });
    expect(await byteOf(headOf(host, 'vdb'))).toBe(2);
  },
);

test.skipIf(!root)(
  'a disk that gives EIO: a create on it fails, the guest runs on, and the other disk stays right',
  async context => {
    const disk = breakableDisk(64);
    if (!disk) return context.skip('this host has no loop devices');
    const host = await faultHost({ secondFolder: disk.folder });
    await writeBoth(host, 1, { blocks: 8 });
    await operate(host, { ...create, name: 's0', disk: { vdb: 'none' } });
    await contentsStand(host);
    await start(host);
    const request = { ...create, domain: DOMAIN };
    const observer = { planned: () => disk.break() };
    const { outcome, failures } = await runRequest(host.session, request, { observer });
    expect(failures[0]?.step).toBe('createOverlays');
    expect(['rolledBack', 'needsAttention']).toContain(outcome);
    expect(await runStateOf(host)).toBe('running');
    expect(host.session.catalog.snapshot(DOMAIN, 's1')?.state).not.toBe('usable');
    await contentsStand(host);
  },
);
