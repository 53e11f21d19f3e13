import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { stopDomain } from '../../src/operations/domains.ts';
import { freeContext } from '../../src/operations/session.ts';
import { run } from '../../src/tools/run.ts';
import {
  addAgain,
  DOMAIN,
  type FaultHost,
  faultHost,
  headOf,
  operate,
  quiet,
  start,
  tell,
  writeBoth,
} from '../faults/host.ts';
import { assertWhole } from '../faults/whole.ts';

const SECRET = 'the host’s own secret ';
const MIB = 1 << 20;
const create = (name: string) => ({ operation: 'create', name, memory: 'none' }) as const;

/** A file of the host that the guest would like to read. */
function secretOf({ folder }: FaultHost): string {
  const path = join(folder, 'strange-secret');
  writeFileSync(path, SECRET.repeat(20_000), { mode: 0o600 });
  return path;
}

/** What a guest writes to the first sectors of its raw disk: a qcow2 whose base is the secret. */
async function trap(host: FaultHost, secret: string): Promise<string> {
  const path = join(host.folder, 'strange-header');
  const over = ['-b', secret, '-F', 'raw'];
  await run(['qemu-img', 'create', '-q', '-f', 'qcow2', ...over, path, '1G'], quiet);
  return path;
}

/** Nothing that the host has made holds a word of the secret, and the disk is as large as it was. */
async function nothingLeaked(host: FaultHost, secret: string): Promise<void> {
  const out = join(host.folder, 'strange-content');
  const { path, format } = headOf(host, 'vdb');
  await run(['qemu-img', 'convert', '-U', '-f', format, '-O', 'raw', path, out], quiet);
  expect(statSync(out).size).toBe(4 * MIB);
  expect(readFileSync(out).subarray(0, 4).toString('latin1')).toBe('QFI\xfb');
  const files = readdirSync(host.folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .filter(file => file !== secret);
  expect(files.length).toBeGreaterThan(4);
  for (const file of files) expect(readFileSync(file).includes(SECRET), file).toBe(false);
}

/** Every overlay over the raw disk says that it is raw, and QEMU has it open as raw. */
async function staysRaw(host: FaultHost): Promise<void> {
  const { images } = host.session;
  const chain = await images.chain(headOf(host, 'vdb'), freeContext(), true);
  expect(chain.at(-1)?.volume).toEqual({ path: join(host.folder, 'vdb.raw'), format: 'raw' });
  expect(chain.at(-2)?.backing?.format).toBe('raw');
  const nodes = (await tell(host, 'query-named-block-nodes', { flat: true })) as {
    file: string;
    drv: string;
  }[];
  const drivers = nodes.filter(({ file }) => file.endsWith('vdb.raw')).map(({ drv }) => drv);
  expect([...new Set(drivers)].sort()).toEqual(['file', 'raw']);
  expect(nodes.filter(({ file }) => file.includes('strange'))).toEqual([]);
}

describe('a raw disk into which its guest wrote a qcow2 header that names a file of the host', () => {
  test('stays raw through creates, reverts, deletes and starts; nothing of that file is read', async () => {
    const host = await faultHost();
    const secret = secretOf(host);
    const header = await trap(host, secret);
    await start(host);
    const bytes = statSync(header).size;
    const line = `qemu-io -d /machine/peripheral/vdb/virtio-backend "write -s ${header} 0 ${bytes - (bytes % 512)}"`;
    expect(await tell(host, 'human-monitor-command', { 'command-line': line })).toBe('');
    await operate(host, { operation: 'create', name: 's1' });
    await staysRaw(host);
    await nothingLeaked(host, secret);
    await operate(host, create('s2'));
    await operate(host, { operation: 'revert', name: 's1' });
    await staysRaw(host);
    await operate(host, { operation: 'delete', name: 's2' });
    await nothingLeaked(host, secret);
    await stopDomain(host.session, DOMAIN, {});
    await operate(host, create('s3'));
    await operate(host, { operation: 'revert', name: 's1', runAfter: 'off' });
    await nothingLeaked(host, secret);
    await start(host);
    await staysRaw(host);
    for (const { name } of host.session.catalog.snapshots(DOMAIN)) {
      await operate(host, { operation: 'delete', name });
    }
    await nothingLeaked(host, secret);
    await assertWhole(host, { runState: 'running' });
  });

  test('is written back into by a delete, off, as the raw disk that it is', async () => {
    const host = await faultHost();
    const secret = secretOf(host);
    const header = readFileSync(await trap(host, secret));
    await writeBoth(host, 1, { blocks: 40 });
    const disk = readFileSync(join(host.folder, 'vdb.raw'));
    header.copy(disk);
    writeFileSync(join(host.folder, 'vdb.raw'), disk);
    await operate(host, create('s1'));
    await writeBoth(host, 2, { block: 50 });
    await operate(host, { operation: 'delete', name: 's1' });
    await nothingLeaked(host, secret);
    expect(headOf(host, 'vdb')).toEqual({ path: join(host.folder, 'vdb.raw'), format: 'raw' });
    expect(readFileSync(join(host.folder, 'vdb.raw'))[50 * 65_536]).toBe(2);
  });
});

describe('a qcow2 from somewhere else is not taken in', () => {
  test.each<[string, (host: FaultHost, secret: string, image: string) => Promise<unknown>]>([
    [
      'whose data lies in a file of the host',
      (_, secret, image) =>
        run(
          [
            'qemu-img',
            'create',
            '-q',
            '-f',
            'qcow2',
            '-o',
            `data_file=${secret},data_file_raw=on`,
            image,
            '64K',
          ],
          quiet,
        ),
    ],
    [
      'whose base is an address on the net',
      (_, _secret, image) => created(image, ['-u', '-b', 'nbd://127.0.0.1:1/x', '-F', 'raw']),
    ],
    [
      'whose base is a description in JSON',
      (_, secret, image) => {
        const file = { driver: 'raw', file: { driver: 'file', filename: secret } };
        return created(image, ['-u', '-b', `json:${JSON.stringify(file)}`, '-F', 'raw']);
      },
    ],
    [
      'whose base stands on it',
      async (host, _secret, image) => {
        const other = join(host.folder, 'strange-other.qcow2');
        await created(image, []);
        await created(other, ['-b', image, '-F', 'qcow2']);
        const over = ['-b', other, '-F', 'qcow2'];
        return run(['qemu-img', 'rebase', '-u', '-f', 'qcow2', ...over, image], quiet);
      },
    ],
  ])('%s', async (_, make) => {
    const host = await faultHost();
    const secret = secretOf(host);
    const image = join(host.folder, 'strange.qcow2');
    await make(host, secret, image);
    writeFileSync(secret, SECRET.repeat(3_000));
    const vdc = { ...host.config.disks[0]!, device: 'vdc', path: image };
    const added = addAgain(host, { disks: [...host.config.disks, vdc] });
    await expect(added).rejects.toMatchObject({ name: 'RefusedError' });
    expect(host.session.catalog.domain(DOMAIN)?.disks).toHaveLength(2);
    expect(readFileSync(secret, 'utf8')).toBe(SECRET.repeat(3_000));
  });
});

const created = (image: string, base: readonly string[]): Promise<unknown> =>
  run(['qemu-img', 'create', '-q', '-f', 'qcow2', ...base, image, '1M'], quiet);
