import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { backingChain } from '../../src/tools/backing-chain.ts';
import { ownerOf } from '../../src/tools/file-facts.ts';
import { createExclusive } from '../../src/tools/files.ts';
import { dataBytes, imageCheck, imageInfo } from '../../src/tools/qemu-img.ts';
import {
  commitArgv,
  convertSnapshotArgv,
  createImageArgv,
  createOverlayArgv,
  rebaseArgv,
  snapshotApplyArgv,
  snapshotCreateArgv,
  snapshotDeleteArgv,
} from '../../src/tools/qemu-img-argv.ts';
import { type Argv, run } from '../../src/tools/run.ts';
import { failureOf } from './failure.ts';
import { startQemu } from './real-qemu.ts';
import { tempFolder } from './temp-folder.ts';

const log = () => {};
const still = { shared: false, log };
const sizeBytes = 8 * 1024 * 1024;
const tool = (argv: Argv) => run(argv, { timeoutMs: 30_000, log });
const qemuIo = (path: string, command: string) =>
  tool(['qemu-io', '-f', 'qcow2', '-c', command, path]);

/** A raw base whose first MiB is 0x01, and a qcow2 overlay; their folder's name is nasty. */
async function chain(): Promise<{ folder: string; base: string; top: string }> {
  const folder = join(tempFolder(), 'we,ird "na\'me: x');
  mkdirSync(folder);
  const base = join(folder, 'base,1.raw');
  const top = join(folder, 'top,2.qcow2');
  writeFileSync(base, Buffer.alloc(1024 * 1024, 1));
  truncateSync(base, sizeBytes);
  await createExclusive(top, 0o600, log);
  await tool(createOverlayArgv({ path: top, base, baseFormat: 'raw' }));
  return { folder, base, top };
}

/** Fails unless the bytes from `at` on, `length` long, all have this value. */
async function mustRead(path: string, value: number, at: string, length: string): Promise<void> {
  const { stdout } = await qemuIo(path, `read -P ${value} ${at} ${length}`);
  expect(stdout).not.toContain('verification failed');
}

test('an overlay keeps the mode of the file that was created for it, and names its base', async () => {
  const { base, top } = await chain();
  expect((await ownerOf(top)).mode).toBe(0o600);
  const info = await imageInfo(top, 'qcow2', still);
  expect(info).toMatchObject({
    path: top,
    virtualSizeBytes: sizeBytes,
    backing: { path: base, written: base, format: 'raw' },
    snapshots: [],
    corrupt: false,
    dataFile: null,
  });
});

test('an overlay can be larger than its base', async () => {
  const { folder, base } = await chain();
  const path = join(folder, 'larger');
  await tool(createOverlayArgv({ path, base, baseFormat: 'raw', sizeBytes: 2 * sizeBytes }));
  expect((await imageInfo(path, 'qcow2', still)).virtualSizeBytes).toBe(2 * sizeBytes);
});

test('a chain is read layer by layer, each in its named format', async () => {
  const { folder, base, top } = await chain();
  const path = join(folder, 'third');
  await tool(createOverlayArgv({ path, base: top, baseFormat: 'qcow2' }));
  const layers = await backingChain(path, 'qcow2', still);
  expect(layers.map(layer => [layer.path, layer.format])).toEqual([
    [path, 'qcow2'],
    [top, 'qcow2'],
    [base, 'raw'],
  ]);
});

test('a raw base that holds a qcow2 header stays raw', async () => {
  const { folder, base, top } = await chain();
  const evil = join(folder, 'evil');
  await tool(createOverlayArgv({ path: evil, base: top, baseFormat: 'qcow2' }));
  await tool(['dd', `if=${evil}`, `of=${base}`, 'conv=notrunc', 'status=none']);
  expect(await backingChain(top, 'qcow2', still)).toHaveLength(2);
});

test('a header without a format for its base is not followed', async () => {
  const { folder, base, top } = await chain();
  const path = join(folder, 'noformat');
  await tool(['qemu-img', 'create', '-q', '-f', 'qcow2', path, String(sizeBytes)]);
  await tool(['qemu-img', 'rebase', '-u', '-f', 'qcow2', '-b', base, '-F', 'raw', path]);
  // Overwrite the type of the backing format's header extension: QEMU then skips it.
  const { openSync, writeSync, closeSync, readFileSync } = await import('node:fs');
  const at = readFileSync(path).indexOf(Buffer.from('e2792aca', 'hex'));
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.from('11223344', 'hex'), 0, 4, at);
  closeSync(file);
  expect((await imageInfo(path, 'qcow2', still)).backing?.format).toBeNull();
  const error = await failureOf(backingChain(path, 'qcow2', still));
  expect(error.code).toBe('protocol');
  expect(error.message).toContain('does not guess');
  expect(await backingChain(top, 'qcow2', still)).toHaveLength(2);
});

test('a chain that bites its tail ends in an error', async () => {
  const { folder, top } = await chain();
  const path = join(folder, 'ring');
  await tool(createOverlayArgv({ path, base: top, baseFormat: 'qcow2' }));
  await tool(['qemu-img', 'rebase', '-u', '-f', 'qcow2', '-b', path, '-F', 'qcow2', top]);
  const error = await failureOf(backingChain(path, 'qcow2', still));
  expect(error).toMatchObject({ code: 'protocol' });
  expect(error.message).toContain('its own base');
});

test('a base that is not a plain file is not followed', async () => {
  const { top } = await chain();
  const nbd = 'nbd://127.0.0.1:1/x';
  await tool(['qemu-img', 'rebase', '-u', '-f', 'qcow2', '-b', nbd, '-F', 'raw', top]);
  expect((await failureOf(backingChain(top, 'qcow2', still))).message).toContain('plain file');
});

test('the data of an image is counted without what is below it', async () => {
  const { base, top } = await chain();
  expect(await dataBytes(top, 'qcow2', still)).toBe(0);
  await qemuIo(top, 'write -P 2 1M 1M');
  expect(await dataBytes(top, 'qcow2', still)).toBe(1024 * 1024);
  expect(await dataBytes(base, 'raw', still)).toBe(1024 * 1024);
});

test('a check finds nothing in a sound image, leaks in a leaking one, and is not for raw', async () => {
  const { base, top } = await chain();
  expect(await imageCheck(top, 'qcow2', still)).toEqual({
    supported: true,
    corruptions: 0,
    leaks: 0,
    checkErrors: 0,
  });
  expect(await imageCheck(base, 'raw', still)).toEqual({ supported: false });
  const { openSync, writeSync, closeSync } = await import('node:fs');
  const file = openSync(top, 'r+');
  // The refcount block is the third cluster; give a cluster behind the end a reference.
  writeSync(file, Buffer.from('0001', 'hex'), 0, 2, 2 * 65536 + 2 * 20);
  closeSync(file);
  truncateSync(top, 65536 * 24);
  expect(await imageCheck(top, 'qcow2', still)).toMatchObject({ leaks: 1, corruptions: 0 });
});

test('internal snapshots are taken, applied, extracted and deleted in a path with commas', async () => {
  const { folder, base, top } = await chain();
  const snapshot = { path: top, format: 'qcow2', tag: 'ds,1=x' } as const;
  await qemuIo(top, 'write -P 2 1M 1M');
  await tool(snapshotCreateArgv(snapshot));
  await qemuIo(top, 'write -P 3 1M 1M');
  const [entry] = (await imageInfo(top, 'qcow2', still)).snapshots;
  expect(entry).toMatchObject({ tag: 'ds,1=x', vmStateBytes: 0 });

  const whole = join(folder, 'whole,3');
  const slim = join(folder, 'slim,4');
  const copy = { from: top, fromFormat: 'qcow2', tag: snapshot.tag } as const;
  await tool(convertSnapshotArgv({ ...copy, to: whole }));
  await tool(convertSnapshotArgv({ ...copy, to: slim, backing: { path: base, format: 'raw' } }));
  for (const path of [whole, slim]) {
    await mustRead(path, 1, '0', '1M');
    await mustRead(path, 2, '1M', '1M');
  }
  expect(await dataBytes(whole, 'qcow2', still)).toBe(2 * 1024 * 1024);
  expect(await dataBytes(slim, 'qcow2', still)).toBe(1024 * 1024);

  await mustRead(top, 3, '1M', '1M');
  await tool(snapshotApplyArgv(snapshot));
  await mustRead(top, 2, '1M', '1M');
  await tool(snapshotDeleteArgv(snapshot));
  expect((await imageInfo(top, 'qcow2', still)).snapshots).toEqual([]);
  expect((await failureOf(tool(snapshotDeleteArgv(snapshot)))).code).toBe('failed');
});

test('the trap that the comment on snapshotCreateArgv names: a tag can be taken twice', async () => {
  const { top } = await chain();
  const snapshot = { path: top, format: 'qcow2', tag: 'twin' } as const;
  await tool(snapshotCreateArgv(snapshot));
  await tool(snapshotCreateArgv(snapshot));
  expect((await imageInfo(top, 'qcow2', still)).snapshots).toHaveLength(2);
});

test('a commit writes into the base and does not empty the top', async () => {
  const { base, top } = await chain();
  await qemuIo(top, 'write -P 2 1M 1M');
  await tool(commitArgv({ path: top, format: 'qcow2', base }));
  expect(await dataBytes(base, 'raw', still)).toBe(2 * 1024 * 1024);
  expect(await dataBytes(top, 'qcow2', still)).toBe(1024 * 1024);
});

test('a safe rebase keeps the content, onto another base and onto none', async () => {
  const { folder, base, top } = await chain();
  const middle = { path: top, format: 'qcow2' } as const;
  const path = join(folder, 'third');
  await qemuIo(top, 'write -P 2 1M 1M');
  await tool(createOverlayArgv({ path, base: top, baseFormat: 'qcow2' }));
  await tool(rebaseArgv({ ...middle, path, newBase: base, newBaseFormat: 'raw' }));
  expect((await imageInfo(path, 'qcow2', still)).backing).toMatchObject({ path: base });
  await mustRead(path, 2, '1M', '1M');
  await tool(rebaseArgv({ ...middle, path, newBase: null }));
  expect((await imageInfo(path, 'qcow2', still)).backing).toBeNull();
  await mustRead(path, 1, '0', '1M');
});

test('arguments that QEMU could misread are refused before anything runs', () => {
  const image = { path: '/a', format: 'qcow2', tag: 'x' } as const;
  expect(() => createImageArgv({ ...image, path: 'nbd:x', sizeBytes })).toThrow('absolute');
  expect(() => createImageArgv({ ...image, path: '-f', sizeBytes })).toThrow('absolute');
  expect(() => commitArgv({ ...image, base: 'json:{}' })).toThrow('absolute');
  expect(() => snapshotApplyArgv({ ...image, tag: '2' })).toThrow('number');
  expect(() => snapshotApplyArgv({ ...image, tag: '' })).toThrow('empty');
  expect(() => rebaseArgv({ ...image, newBase: null, unsafe: true })).toThrow('loses');
});

test('an image that a QEMU has open is read only when shared is asked for', async () => {
  const { folder } = await chain();
  const path = join(folder, 'held');
  await tool(createImageArgv({ path, format: 'qcow2', sizeBytes }));
  const { connectQmp } = await import('../../src/tools/qmp.ts');
  const { z } = await import('zod');
  const qemu = await startQemu();
  const qmp = await connectQmp({ path: qemu.path, deadlineMs: 5000, log });
  const file = { driver: 'file', filename: path };
  await qmp.execute(z.unknown(), 'blockdev-add', { driver: 'qcow2', 'node-name': 'd', file });
  const error = await failureOf(imageInfo(path, 'qcow2', still));
  expect(error).toMatchObject({ code: 'failed', detail: { exitCode: 1 } });
  expect(error.detail.stderr).toContain('lock');
  expect((await imageInfo(path, 'qcow2', { ...still, shared: true })).path).toBe(path);
  expect(await dataBytes(path, 'qcow2', { ...still, shared: true })).toBe(0);
  qmp.close();
});

test('an image that is missing, or of another format, has failed', async () => {
  const { base } = await chain();
  expect((await failureOf(imageInfo('/no/such/image', 'qcow2', still))).code).toBe('failed');
  expect((await failureOf(imageInfo(base, 'qcow2', still))).code).toBe('failed');
});
