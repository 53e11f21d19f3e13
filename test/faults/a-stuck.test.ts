import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { addDomain } from '../../src/operations/domains.ts';
import { runRequest } from '../../src/operations/run-request.ts';
import { BusyError } from '../../src/operations/session.ts';
import { toolLock } from '../../src/storages/locked-tool.ts';
import { run } from '../../src/tools/run.ts';
import { holdImage, impatient } from '../lab/cases/saboteurs.ts';
import {
  codes,
  DOMAIN,
  faultHost,
  headOf,
  names,
  operate,
  quiet,
  refusalOf,
  snapshotOf,
  subfolder,
  writeBoth,
} from './host.ts';
import { assertWhole } from './whole.ts';

describe('A. a lock or a state that nobody ends', () => {
  test('F01 F04: a delete that takes too long lets go of the domain, and can be done later', async () => {
    const host = await faultHost();
    await operate(host, { operation: 'create', name: 's1' });
    await writeBoth(host, 1, { blocks: 8 });
    // A tool of an earlier life that does not come to its end holds the image.
    const lock = toolLock(headOf(host, 'vda').path);
    const stuck = spawn('flock', ['--no-fork', lock, 'sleep', '60'], { stdio: 'ignore' });
    await once(stuck, 'spawn');
    onTestFinished(() => void stuck.kill('SIGKILL'));
    while (!(await host.session.images.busy(headOf(host, 'vda')))) await sleep(20);
    const session = impatient(host.session, 10 * 60_000, 700);
    const report = await operate(
      host,
      { operation: 'delete', name: 's1' },
      { outcome: 'rolledBack', session },
    );
    expect(codes(report)[0]).toMatch(/^mergeUp: /);
    stuck.kill('SIGKILL');
    await once(stuck, 'exit');
    expect(names(host)).toEqual(['s1']);
    await operate(host, { operation: 'delete', name: 's1' });
    expect(names(host)).toEqual([]);
    await assertWhole(host, { runState: 'off' });
  });

  test('F02: an image that is busy refuses the operation, and nothing stays locked', async () => {
    const host = await faultHost();
    const letGo = await holdImage(headOf(host, 'vda').path);
    expect(await refusalOf(host, { operation: 'create', name: 's1' })).toContain('in-use');
    await letGo();
    await operate(host, { operation: 'create', name: 's1' });
    await assertWhole(host, { runState: 'off' });
  });

  test('F03 F36: a tag that somebody deleted: no revert to it, but its record can go', async () => {
    const host = await faultHost();
    const wish = { operation: 'create', name: 's1', disk: { vda: 'internal' } } as const;
    await operate(host, wish);
    const { image, tag } = snapshotOf(host, 's1').disks[0]!;
    await run(['qemu-img', 'snapshot', '-d', tag!, image.path], quiet);
    expect(await refusalOf(host, { operation: 'revert', name: 's1' })).toEqual(['damaged']);
    await operate(host, { operation: 'delete', name: 's1' });
    expect(names(host)).toEqual([]);
    await assertWhole(host, { runState: 'off' });
  });

  test('F09: a domain whose operation hangs keeps no other domain waiting', async () => {
    const host = await faultHost();
    const { session, config } = host;
    const path = join(subfolder(host, 'second'), 'vda.qcow2');
    await run(['qemu-img', 'create', '-q', '-f', 'qcow2', path, '1M'], quiet);
    const disks = [{ ...config.disks[0]!, path }];
    const second = { ...config, name: 'web2', disks, monitor: join(host.folder, 'qmp2.sock') };
    const heads = [{ device: 'vda', head: { path, format: 'qcow2' } }];
    await addDomain(session, { name: 'web2', toolstack: 'qemu', config: second, disks: heads });
    const hung = session.locks.tryAcquire(DOMAIN)!;
    onTestFinished(() => hung.release());
    const busy = runRequest(session, { operation: 'create', domain: DOMAIN, name: 's1' });
    await expect(busy).rejects.toBeInstanceOf(BusyError);
    const other = await runRequest(session, { operation: 'create', domain: 'web2', name: 's1' });
    expect(other.outcome).toBe('committed');
  });
});
