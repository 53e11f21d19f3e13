import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readQcow2Header } from '../../src/tools/qcow2-header.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'qcow2-header-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const qemuImg = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync('qemu-img', args, { cwd: folder, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return stdout;
};
const info = (image: string) =>
  JSON.parse(qemuImg('info', '--output=json', '-f', 'qcow2', image)) as {
    'virtual-size': number;
    'backing-filename'?: string;
    'backing-filename-format'?: string;
    snapshots?: { name: string }[];
  };

test.each([
  ['a plain image', ['create', '-f', 'qcow2', 'a', '64M'], []],
  ['version 2', ['create', '-f', 'qcow2', '-o', 'compat=0.10', 'a', '1G'], ['x']],
  ['small clusters', ['create', '-f', 'qcow2', '-o', 'cluster_size=4096', 'a', '1G'], ['x', 'y']],
  ['an overlay on raw', ['create', '-f', 'qcow2', '-b', 'base.raw', '-F', 'raw', 'a'], []],
  ['many internal snapshots', ['create', '-f', 'qcow2', 'a', '8M'], ['t é', ...'abcdefghijklmnop']],
])('reads of %s what qemu-img reads', async (_what, create, tags) => {
  writeFileSync(join(folder, 'base.raw'), Buffer.alloc(1 << 20));
  rmSync(join(folder, 'a'), { force: true });
  qemuImg(...create);
  for (const tag of tags) qemuImg('snapshot', '-c', tag, 'a');
  const header = await readQcow2Header(join(folder, 'a'));
  const said = info('a');
  expect(header).toEqual({
    virtualSizeBytes: said['virtual-size'],
    backingFile: said['backing-filename'] ?? null,
    backingFormat: said['backing-filename-format'] ?? null,
    tags: said.snapshots?.map(({ name }) => name) ?? [],
    corrupt: false,
    dataFile: false,
  });
});

test.each([
  ['text', () => Buffer.from('no image at all'.repeat(20)), /is not qcow2/],
  ['nothing', () => Buffer.alloc(0), /is not qcow2/],
  ['a backing name beyond its place', at(8, 0x7fff_ffff, 4), /contradicts|no name can be|beyond/],
  ['a billion internal snapshots', at(60, 0x4000_0000), /claims 1073741824/],
  ['a table of snapshots behind its end', at(60, 5), /ends too early/],
  ['a version of the future', at(4, 9), /version 9/],
])('refuses a hostile header: %s', async (_what, content, message) => {
  rmSync(join(folder, 'h'), { force: true });
  qemuImg('create', '-f', 'qcow2', 'h', '64M');
  writeFileSync(join(folder, 'h'), content(readFileSync(join(folder, 'h'))));
  await expect(readQcow2Header(join(folder, 'h'))).rejects.toThrow(message);
});

function at(offset: number, value: number, more = 0): (image: Buffer) => Buffer {
  return image => {
    image.writeUInt32BE(value, offset + more);
    if (offset === 8) image.writeUInt32BE(100, 16);
    return image;
  };
}

test('knows an image that is marked corrupt, and one with a data file', async () => {
  rmSync(join(folder, 'c'), { force: true });
  qemuImg('create', '-f', 'qcow2', '-o', 'data_file=d', 'c', '8M');
  expect(await readQcow2Header(join(folder, 'c'))).toMatchObject({ dataFile: true });
  const image = readFileSync(join(folder, 'c'));
  image[79] = (image[79] ?? 0) | 2;
  writeFileSync(join(folder, 'c'), image);
  expect(await readQcow2Header(join(folder, 'c'))).toMatchObject({ corrupt: true });
});
