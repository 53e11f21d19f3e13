import { spawnSync } from 'node:child_process';
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { asStep } from '../../src/storages/step-error.ts';
import type { ToolCall } from '../../src/tools/call-log.ts';
import { spawnDaemon } from '../../src/tools/daemon.ts';
import {
  fileExists,
  fileSize,
  freeBytes,
  openedByOthers,
  ownerOf,
  sameFile,
  sha256File,
} from '../../src/tools/file-facts.ts';
import {
  chownLike,
  createExclusive,
  createFleeting,
  fsyncFile,
  fsyncFolder,
  makeFolder,
  moveDurably,
  removeDurably,
  removeIfThere,
  replaceFile,
  replacementOf,
  writeExclusive,
} from '../../src/tools/files.ts';
import { ToolError } from '../../src/tools/tool-error.ts';
import { readOnly, root } from '../faults/sabotage.ts';
import { failureOf } from './failure.ts';
import { tempFolder } from './temp-folder.ts';

const quiet = () => {};

test.each([
  ['create-exclusive', createExclusive],
  ['create-fleeting', createFleeting],
])('%s: with its mode whatever the umask says, and never over another', async (name, create) => {
  const path = join(tempFolder(), 'new');
  await create(path, 0o666, quiet);
  expect((await ownerOf(path)).mode).toBe(0o666);
  const calls: ToolCall[] = [];
  const error = await failureOf(create(path, 0o600, call => calls.push(call)));
  expect(error).toMatchObject({ tool: 'file', code: 'failed', detail: { errno: 'EEXIST' } });
  expect(calls).toMatchObject([{ command: [name, path], exit: 'EEXIST' }]);
});

test('a file is not created through a dangling link', async () => {
  const folder = tempFolder();
  symlinkSync(join(folder, 'target'), join(folder, 'link'));
  await failureOf(writeExclusive(join(folder, 'link'), 'x', 0o600, quiet));
  expect(await fileExists(join(folder, 'target'))).toBe(false);
  expect(await fileExists(join(folder, 'link'))).toBe(true);
});

test('a file is replaced as a whole', async () => {
  const path = join(tempFolder(), 'file');
  await replaceFile(path, 'old', 0o600, quiet);
  await replaceFile(path, 'new', 0o640, quiet);
  expect(readFileSync(path, 'utf8')).toBe('new');
  expect((await ownerOf(path)).mode).toBe(0o640);
});

test('what a killed process would have put in a file’s place is gone after the next one’s try', async () => {
  const path = join(tempFolder(), 'file');
  const files = new URL('../../src/tools/files.ts', import.meta.url).pathname;
  const program = `
    import fs from 'node:fs/promises';
    import { syncBuiltinESMExports } from 'node:module';
    fs.rename = () => process.kill(process.pid, 'SIGKILL');
    syncBuiltinESMExports();
    const { replaceFile } = await import(${JSON.stringify(files)});
    await replaceFile(${JSON.stringify(path)}, 'killed', 0o600, () => {});`;
  const argv = ['--input-type=module', '--eval', program];
  expect(spawnSync(process.execPath, argv).signal).toBe('SIGKILL');
  expect(readdirSync(dirname(path))).toEqual([basename(replacementOf(path))]);
  await replaceFile(path, 'new', 0o600, quiet);
  expect(readdirSync(dirname(path))).toEqual(['file']);
  expect(readFileSync(path, 'utf8')).toBe('new');
});

test('a folder is made with those above it, and an existing one keeps its mode', async () => {
  const folder = join(tempFolder(), 'a', 'b');
  await makeFolder(folder, 0o700, quiet);
  await makeFolder(folder, 0o755, quiet);
  expect((await ownerOf(folder)).mode).toBe(0o700);
});

test.skipIf(!root)('a folder that a read-only file system does not take says so', async () => {
  const folder = tempFolder();
  readOnly(folder);
  const error = await failureOf(makeFolder(join(folder, 'a'), 0o700, quiet));
  expect(error).toMatchObject({ code: 'failed', detail: { errno: 'EROFS' } });
});

test('a move keeps the file, and never overwrites another', async () => {
  const folder = tempFolder();
  const [from, to] = [join(folder, 'from'), join(folder, 'trash', 'to')];
  mkdirSync(join(folder, 'trash'));
  writeFileSync(from, 'content');
  const { ino } = statSync(from);
  await moveDurably(from, to, quiet);
  expect(statSync(to).ino).toBe(ino);
  expect(await fileExists(from)).toBe(false);
  writeFileSync(from, 'second');
  expect(await failureOf(moveDurably(from, to, quiet))).toMatchObject({
    detail: { errno: 'EEXIST' },
  });
  expect(readFileSync(to, 'utf8')).toBe('content');
  expect((await failureOf(moveDurably(join(folder, 'no'), from, quiet))).code).toBe('failed');
  expect((await failureOf(moveDurably(join(folder, 'no'), `${to}2`, quiet))).code).toBe('missing');
});

test('a move to another file system is an error and no copy', async () => {
  const from = join(tempFolder(), 'file');
  writeFileSync(from, 'content');
  const to = `/dev/shm/domsnap-test-${process.pid}`;
  if (statSync('/dev/shm').dev === statSync(from).dev) return;
  expect(await failureOf(moveDurably(from, to, quiet))).toMatchObject({
    code: 'failed',
    detail: { errno: 'EXDEV' },
  });
  expect(await fileExists(from)).toBe(true);
  expect(await fileExists(to)).toBe(false);
});

test('fsync takes files and folders, and says when they are missing', async () => {
  const folder = tempFolder();
  const path = join(folder, 'file');
  writeFileSync(path, 'x', { mode: 0o400 });
  await fsyncFile(path, quiet);
  await fsyncFolder(folder, quiet);
  expect((await failureOf(fsyncFile(`${path}2`, quiet))).code).toBe('missing');
  expect((await failureOf(fsyncFolder(path, quiet))).code).toBe('missing');
  await removeDurably(path, quiet);
  expect(await fileExists(path)).toBe(false);
});

test('sizes tell length from what is occupied', async () => {
  const path = join(tempFolder(), 'sparse');
  writeFileSync(path, 'x');
  truncateSync(path, 2 ** 40);
  const { sizeBytes, allocatedBytes } = await fileSize(path);
  expect(sizeBytes).toBe(2 ** 40);
  expect(allocatedBytes).toBeLessThan(1024 * 1024);
  expect(await freeBytes(tempFolder())).toBeGreaterThan(0);
  expect((await failureOf(freeBytes('/no/such/folder'))).code).toBe('missing');
});

test('a digest is that of the content, and can be aborted', async () => {
  const path = join(tempFolder(), 'file');
  writeFileSync(path, 'abc');
  expect(await sha256File(path, quiet)).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
  const signal = AbortSignal.abort();
  expect((await failureOf(sha256File(path, quiet, { signal }))).code).toBe('aborted');
});

test('names of the same file are the same, others are not', async () => {
  const folder = tempFolder();
  const [a, b, c] = [join(folder, 'a'), join(folder, 'b'), join(folder, 'c')];
  writeFileSync(a, '');
  writeFileSync(c, '');
  linkSync(a, b);
  expect(await sameFile(a, b)).toBe(true);
  expect(await sameFile(a, c)).toBe(false);
  expect(await sameFile(a, join(folder, 'none'))).toBe(false);
});

test('who has a file open is found under whatever name, oneself not counted', async () => {
  const folder = tempFolder();
  const [path, other] = [join(folder, 'a'), join(folder, 'b')];
  writeFileSync(path, '');
  linkSync(path, other);
  const own = openSync(path, 'r');
  onTestFinished(() => closeSync(own));
  expect(await openedByOthers(path)).toEqual([]);
  const daemon = await spawnDaemon(['sh', '-c', 'exec sleep 30 <"$0"', other], {
    log: quiet,
    logFile: join(folder, 'log'),
  });
  onTestFinished(() => {
    process.kill(daemon.pid, 'SIGKILL');
  });
  while ((await openedByOthers(path)).length === 0) await sleep(20);
  expect(await openedByOthers(path)).toEqual([daemon.pid]);
});

test('the owner of another file is taken over', async () => {
  const folder = tempFolder();
  const [path, like] = [join(folder, 'a'), join(folder, 'b')];
  writeFileSync(path, '');
  writeFileSync(like, '');
  await chownLike(path, like, quiet);
  if (process.getuid?.() !== 0) return;
  const { chownSync } = await import('node:fs');
  chownSync(like, 12, 34);
  await chownLike(path, like, quiet);
  expect(await ownerOf(path)).toMatchObject({ uid: 12, gid: 34 });
});

test('what is not there is removed already; what cannot be is a tool’s error', () => {
  const path = tempFolder();
  removeIfThere(join(path, 'nothing'));
  expect(() => removeIfThere(path)).toThrow(ToolError);
});

test('an error of the file system that nobody has named is no bug', async () => {
  const lost = asStep(async () => readFileSync('/nowhere/at/all'));
  await expect(lost).rejects.toMatchObject({ name: 'StepError', code: 'missing' });
});
