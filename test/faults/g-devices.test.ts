import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { planRequest } from '../../src/operations/run-request.ts';
import { draftCreate } from '../../src/plan/create.ts';
import type { Survey } from '../../src/plan/survey.ts';
import { run } from '../../src/tools/run.ts';
import { parseDomainFile } from '../../src/toolstacks/qemu/domain-file.ts';
import { REVERTS } from '../sim/scenarios-of-revert.ts';
import { complaints, sweep } from '../sim/sweep.ts';
import {
  addAgain,
  DOMAIN,
  faultHost,
  operate,
  quiet,
  refusalOf,
  snapshotOf,
  start,
  tell,
  writeBoth,
} from './host.ts';
import { assertWhole } from './whole.ts';

const create = (name: string, more: object = {}) =>
  ({ operation: 'create', name, ...more }) as const;

describe('G. devices, firmware, saved memory', () => {
  test.each([
    ['-pflash', '/vm/OVMF_VARS.fd'],
    ['-drive', 'if=pflash,format=raw,file=/vm/OVMF_VARS.fd'],
    ['--drive', 'file=/vm/OVMF_CODE.fd'],
    ['-blockdev', 'driver=file,node-name=pflash0,filename=/vm/OVMF_VARS.fd'],
    ['-cdrom', '/vm/install.iso'],
    ['-readconfig', '/vm/drives.cfg'],
  ])(
    'F57 F58: %s %s brings no image into the domain that its snapshots would not hold',
    (...words) => {
      const file = stringify({
        name: 'web1',
        arguments: words,
        disks: [{ device: 'vda', path: './a.qcow2', format: 'qcow2' }],
        monitor: './qmp.sock',
      });
      expect(() => parseDomainFile(file, '/vm')).toThrow(words[0]);
    },
  );

  test('F58: an image that somebody has hot-plugged is no disk of the domain, and is left alone', async () => {
    const host = await faultHost({ extra: ['-device', 'pcie-root-port,id=root1,chassis=1'] });
    await start(host);
    const path = join(host.folder, 'strange.raw');
    await run(['qemu-img', 'create', '-q', '-f', 'raw', path, '1M'], quiet);
    const before = statSync(path);
    const file = { driver: 'file', filename: path };
    await tell(host, 'blockdev-add', { driver: 'raw', 'node-name': 'strange', file });
    const device = { driver: 'virtio-blk-pci', id: 'strange', drive: 'strange', bus: 'root1' };
    await tell(host, 'device_add', device);
    await operate(host, create('s1', { memory: 'none' }));
    expect(snapshotOf(host, 's1').disks.map(disk => disk.device)).toEqual(['vda', 'vdb']);
    await operate(host, { operation: 'delete', name: 's1' });
    const { ino, size, mtimeMs } = statSync(path);
    expect({ ino, size, mtimeMs }).toEqual({
      ino: before.ino,
      size: before.size,
      mtimeMs: before.mtimeMs,
    });
    await assertWhole(host, { runState: 'running' });
  });

  test('F59 F61 F76 F77: no command that saves or loads by itself, or makes overlays itself, is ever sent', () => {
    const src = new URL('../../src/', import.meta.url).pathname;
    const forbidden =
      /['"`](snapshot-(save|load|delete)|savevm|loadvm|delvm|blockdev-snapshot-sync|drive-mirror)['"`\s]/;
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
      name => name.endsWith('.ts') && !name.startsWith('bench/'),
    );
    // The same word is a verb of virsh's, which only ever forgets a record there.
    const records = /'snapshot-delete', \w+, '--metadata'/g;
    expect(files.length).toBeGreaterThan(100);
    const text = (name: string) => readFileSync(join(src, name), 'utf8').replaceAll(records, '');
    const guilty = files.filter(name => forbidden.test(text(name)));
    expect(guilty).toEqual([]);
  });

  test('F62 F64: a device that cannot be migrated costs the memory, and the plan says which', async () => {
    const host = await faultHost({ extra: ['-device', 'nvme,serial=n1'] });
    await start(host);
    expect(await refusalOf(host, create('s1'))).toEqual(['memory-unsupported']);
    const wish = { ...create('s1'), domain: DOMAIN } as const;
    const { plan } = await planRequest(host.session, wish);
    expect(plan.refusals[0]?.message).toContain('non-migratable device');
    expect(plan.refusals[0]?.message).toContain('nvme');
    await operate(host, create('s1', { memory: 'none' }));
    await assertWhole(host, { runState: 'running' });
  });

  test('a device that QEMU cannot make is told in its own words, though it opened its monitor first', async () => {
    const host = await faultHost({ extra: ['-device', 'pcie-root-port,id=port,slot=999'] });
    await expect(start(host)).rejects.toThrow(/ended before web1 was up.*slot/s);
  });

  test('F63: a revert whose loading hangs comes to an end that says so', async () => {
    const scenario = REVERTS.find(({ name }) => name === 'revert.live.memory.external')!;
    const verdicts = await sweep(scenario, at => ({ faults: [{ kind: 'hangs', at }] }));
    expect(verdicts.length).toBeGreaterThan(20);
    expect(complaints(verdicts)).toEqual([]);
  });

  test('F65: a disk that is a device has no folder for an overlay, and the plan says so; memory goes to domsnap’s own', async () => {
    const path = '/dev/null';
    const disk = { device: 'vda', path, format: 'raw', attach: 'virtio-blk-pci' } as const;
    const domain = {
      ...{ name: DOMAIN, toolstack: 'qemu', config: {}, current: null, addedAt: 0 },
      disks: [{ device: disk.device, head: { path, format: disk.format } }],
    } as const;
    const works = { works: true, why: '' };
    const facts = {
      ...{ at: 0, operation: 'op1', domain, snapshots: [], images: new Map() },
      ...{ unreadable: new Map(), free: new Map([['/home/memory', 1e12]]), memoryFiles: new Map() },
      ...{ holders: new Map(), usedElsewhere: new Map(), memoryFolder: '/home/memory' },
      view: {
        ...{ runState: 'running', rawState: 'running', jobs: [], deviceDigest: 'd' },
        disks: [{ device: 'vda', chain: [{ path, format: 'raw' }] }],
        strangeDisks: [],
        configured: [],
        pulls: 'any',
        sealed: [],
        ...{ nextDeviceDigest: 'd', memoryBytes: 1, version: '7.2.0' },
        captures: { background: works, precopy: works, paused: works },
        agent: { answers: false, why: 'none' },
      },
    } as unknown as Survey;
    const request = { operation: 'create', domain: DOMAIN, name: 's1' } as const;
    const { refusals, input } = draftCreate(request, facts);
    const refused = refusals.map(({ message }) => message).join('\n');
    expect(refused).toMatch(/overlay beside it would be gone/);
    expect(refused).not.toMatch(/memory/);
    expect(input).toMatchObject({ memory: { path: '/home/memory/web1.s1.op1.memory' } });
    const none = { ...request, memory: 'none', disk: { vda: 'none' } } as const;
    expect(() => draftCreate(none, facts)).toThrow('holds nothing');
  });

  test('F73 F74: a device more than when the memory was saved refuses the revert, the guest runs on', async () => {
    const host = await faultHost();
    await start(host);
    await writeBoth(host, 1);
    await operate(host, create('s1'));
    const extra = [...host.config.arguments, '-device', 'virtio-rng-pci'];
    await addAgain(host, { arguments: extra });
    expect(await refusalOf(host, { operation: 'revert', name: 's1' })).toEqual(['other-devices']);
    await assertWhole(host, { runState: 'running' });
    await addAgain(host);
    await operate(host, { operation: 'revert', name: 's1' });
    await assertWhole(host, { runState: 'running' });
  });

  test('F74: what was plugged in or out while it ran costs the memory: no start would load it', async () => {
    const host = await faultHost({ extra: ['-device', 'pcie-root-port,id=root1,chassis=1'] });
    await start(host);
    await tell(host, 'device_add', { driver: 'virtio-rng-pci', id: 'rng', bus: 'root1' });
    expect(await refusalOf(host, create('s1'))).toEqual(['memory-unsupported']);
    await operate(host, create('s1', { memory: 'none' }));
    await assertWhole(host, { runState: 'running' });
  });

  test('a disk that was plugged in behind the domain file is named as none of the snapshot’s', async () => {
    const host = await faultHost({ extra: ['-device', 'pcie-root-port,id=root1,chassis=1'] });
    await start(host);
    const file = { driver: 'null-co', size: 1 << 20, 'read-zeroes': true };
    await tell(host, 'blockdev-add', { 'node-name': 'late', ...file });
    const device = { driver: 'virtio-blk-pci', id: 'vdz', bus: 'root1', drive: 'late' };
    await tell(host, 'device_add', device);
    const wish = { operation: 'create', name: 's1', memory: 'none' } as const;
    const { plan } = await planRequest(host.session, { ...wish, domain: DOMAIN });
    expect(plan.notes.map(({ what }) => what)).toContain('vdz is not part of it');
    await operate(host, wish);
    await assertWhole(host, { runState: 'running' });
  });
});
