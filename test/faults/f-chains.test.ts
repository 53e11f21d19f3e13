import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { addDomain, removeDomain, startDomain, stopDomain } from '../../src/operations/domains.ts';
import { recover } from '../../src/operations/recover.ts';
import { planRequest, runRequest } from '../../src/operations/run-request.ts';
import { run } from '../../src/tools/run.ts';
import {
  DOMAIN,
  faultHost,
  headOf,
  names,
  operate,
  quiet,
  refusalOf,
  start,
  subfolder,
  writeBoth,
} from './host.ts';
import { exporting } from './sabotage.ts';
import { assertWhole } from './whole.ts';

const create = (name: string) => ({ operation: 'create', name, memory: 'none' }) as const;
const remove = (name: string) => ({ operation: 'delete', name }) as const;

describe('F. chains that grow', () => {
  test('F50 F53: 27 layers start, are snapshotted and shortened, and the plan warns', async () => {
    const host = await faultHost();
    const { session, config } = host;
    const folder = subfolder(host, 'chain');
    let below = { path: join(host.folder, 'vda.qcow2'), format: 'qcow2' };
    for (let layer = 1; layer <= 26; layer += 1) {
      const path = join(folder, `vda.${layer}`);
      const over = ['-b', below.path, '-F', below.format];
      await run(['qemu-img', 'create', '-q', '-f', 'qcow2', ...over, path], quiet);
      below = { path, format: 'qcow2' };
    }
    const disks = [{ ...config.disks[0]!, path: below.path }];
    const long = { ...config, name: 'long', disks };
    const heads = [{ device: 'vda', head: below }];
    // It writes to what is the lowest layer here.
    await removeDomain(session, config.name);
    await addDomain(session, { name: 'long', toolstack: 'qemu', config: long, disks: heads });
    const { plan } = await planRequest(session, { ...create('s1'), domain: 'long' });
    expect(plan.notes.map(({ what }) => what)).toContain('vda already stands on 27 layers');
    await startDomain(session, 'long', {});
    for (const wish of [create('s1'), create('s2'), remove('s1')]) {
      const { outcome } = await runRequest(session, { ...wish, domain: 'long' });
      expect(outcome).toBe('committed');
    }
    await stopDomain(session, 'long', {});
  });

  test('F52: an exporter that reads an image hinders neither a create nor a delete for long', async () => {
    const host = await faultHost();
    await start(host);
    await writeBoth(host, 1, { blocks: 40 });
    const shared = await exporting(headOf(host, 'vda').path, ['-U']);
    await operate(host, create('s1'));
    await writeBoth(host, 2);
    await operate(host, remove('s1'));
    await shared();
    await operate(host, create('s1'));
    await writeBoth(host, 3);
    // This one bears no writer beside it: the base cannot be merged into while it reads.
    const alone = await exporting(join(host.folder, 'vda.qcow2'), []);
    const report = await operate(host, remove('s1'), { outcome: 'needsAttention' });
    expect(report.failures[0]).toMatchObject({ step: 'mergeDown' });
    await assertWhole(host, { runState: 'running', waiting: true });
    await alone();
    expect((await recover(host.session, undefined)).map(({ outcome }) => outcome)).toEqual([
      'committed',
    ]);
    await assertWhole(host, { runState: 'running' });
    expect(names(host)).toEqual([]);
  });

  test('F78: an image that another domain stands on is not written to or taken away', async () => {
    const host = await faultHost();
    await writeBoth(host, 1, { blocks: 40 });
    await operate(host, create('s1'));
    const path = join(subfolder(host, 'second'), 'vda.qcow2');
    const base = ['-b', join(host.folder, 'vda.qcow2'), '-F', 'qcow2'];
    await run(['qemu-img', 'create', '-q', '-f', 'qcow2', ...base, path], quiet);
    const { config, session } = host;
    const disks = [{ ...config.disks[0]!, path }];
    const second = { ...config, name: 'web2', disks, monitor: join(host.folder, 'qmp2.sock') };
    const heads = [{ device: 'vda', head: { path, format: 'qcow2' } }];
    await addDomain(session, { name: 'web2', toolstack: 'qemu', config: second, disks: heads });
    expect(await refusalOf(host, remove('s1'))).toContain('used-elsewhere');
    expect(session.catalog.snapshot(DOMAIN, 's1')?.state).toBe('usable');
  });
});
