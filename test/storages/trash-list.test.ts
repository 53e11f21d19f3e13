import { spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/engine/system-clock.ts';
import { hostImages } from '../../src/storages/images.ts';
import { TRASH } from '../../src/storages/trash.ts';
import { listTrash } from '../../src/storages/trash-list.ts';
import { tempFolder } from '../tools/temp-folder.ts';

const images = hostImages({ clock: systemClock });
const context = () => ({
  key: 'none',
  signal: new AbortController().signal,
  log() {},
  progress() {},
});
const OPERATION = '0mwsn948ted917c64';

/** A folder of images with one file in its trash, as domsnap puts it there. */
async function withTrash() {
  const folder = tempFolder();
  const path = join(folder, 'old.qcow2');
  writeFileSync(path, 'x'.repeat(4096));
  await images.perform({ do: 'trash', path, operation: OPERATION }, context());
  const trash = join(folder, TRASH);
  return { folder, trash, own: join(trash, OPERATION), file: join(trash, OPERATION, 'old.qcow2') };
}

const purge = (folder: string, name: string, operation = OPERATION) =>
  images.perform({ do: 'purge', folder, operation, name }, context());

describe('what is listed', () => {
  test('a file that domsnap moved there, with where it was and what it occupies', async () => {
    const { folder, trash } = await withTrash();
    const { files, skipped } = await listTrash(folder);
    expect(skipped).toEqual([]);
    expect(files).toMatchObject([
      { folder: trash, operation: OPERATION, name: 'old.qcow2', from: join(folder, 'old.qcow2') },
    ]);
    expect(files[0]?.bytes).toBeGreaterThan(0);
  });

  test('nothing, where there is no trash', async () => {
    expect(await listTrash(tempFolder())).toEqual({ files: [], skipped: [] });
  });

  test('nothing behind a link in the place of the trash folder', async () => {
    const { trash } = await withTrash();
    const other = tempFolder();
    symlinkSync(trash, join(other, TRASH));
    const { files, skipped } = await listTrash(other);
    expect(files).toEqual([]);
    expect(skipped).toEqual([{ path: join(other, TRASH), why: 'is a link, or no folder' }]);
  });

  test('nothing behind a link in the place of an operation’s folder', async () => {
    const { folder, trash } = await withTrash();
    const elsewhere = tempFolder();
    writeFileSync(join(elsewhere, 'precious'), 'x');
    const name = '0mwsn948ted917c65';
    symlinkSync(elsewhere, join(trash, name));
    const { files, skipped } = await listTrash(folder);
    expect(files).toHaveLength(1);
    expect(skipped).toEqual([{ path: join(trash, name), why: 'is a link, or no folder' }]);
  });

  test('no file that the manifest does not name, no link, no folder', async () => {
    const { folder, own } = await withTrash();
    writeFileSync(join(own, 'foreign'), 'x');
    const { files, skipped } = await listTrash(folder);
    expect(files.map(({ name }) => name)).toEqual(['old.qcow2']);
    expect(skipped).toEqual([{ path: join(own, 'foreign'), why: 'is not in the manifest' }]);
  });

  test('no link under the name of a file of the manifest', async () => {
    const { folder, own, file } = await withTrash();
    const precious = join(folder, 'precious');
    renameSync(file, precious);
    symlinkSync(precious, file);
    const { files, skipped } = await listTrash(folder);
    expect(files).toEqual([]);
    expect(skipped).toEqual([{ path: join(own, 'old.qcow2'), why: 'is no plain file' }]);
  });

  test.each([
    ['garbage', '\u0000\u0001{'],
    ['another shape', '{"operation":3,"files":"all"}'],
    ['another operation’s', '{"operation":"0mwsn948ted917c00","files":[]}'],
  ])('nothing under a manifest that is %s', async (_, text) => {
    const { folder, own } = await withTrash();
    writeFileSync(join(own, 'manifest.json'), text);
    const { files, skipped } = await listTrash(folder);
    expect(files).toEqual([]);
    expect(skipped.map(({ path }) => path)).toEqual([own]);
  });

  test('nothing under a manifest that would fill the memory', async () => {
    const { folder, own } = await withTrash();
    truncateSync(join(own, 'manifest.json'), 64 << 20);
    const { files, skipped } = await listTrash(folder);
    expect(files).toEqual([]);
    expect(skipped).toEqual([{ path: own, why: 'has a manifest that is too long' }]);
  });

  test('nothing in a trash that others may write to', async () => {
    const { folder, trash } = await withTrash();
    chmodSync(trash, 0o777);
    const { files, skipped } = await listTrash(folder);
    expect(files).toEqual([]);
    expect(skipped).toEqual([{ path: trash, why: 'may be written to by others' }]);
  });

  test('nothing in a folder that bears no operation’s id', async () => {
    const { folder, trash } = await withTrash();
    mkdirSync(join(trash, 'mine'), { mode: 0o700 });
    const { skipped } = await listTrash(folder);
    expect(skipped.map(({ path }) => path)).toEqual([join(trash, 'mine')]);
  });
});

describe('what is purged', () => {
  test('the file, and with the last one the manifest and the folders', async () => {
    const { folder, trash } = await withTrash();
    await purge(trash, 'old.qcow2');
    expect(readdirSync(folder)).toEqual([]);
    // Again, as after a crash: what is gone is gone.
    await purge(trash, 'old.qcow2');
  });

  test('nothing beside it that is foreign', async () => {
    const { trash, own } = await withTrash();
    writeFileSync(join(own, 'foreign'), 'x');
    await purge(trash, 'old.qcow2');
    expect(readdirSync(own).sort()).toEqual(['foreign', 'manifest.json']);
  });

  test('nothing behind a link that has taken the folder’s place since it was chosen', async () => {
    const { folder, trash, file } = await withTrash();
    renameSync(trash, join(folder, 'moved'));
    symlinkSync(join(folder, 'moved'), trash);
    await expect(purge(trash, 'old.qcow2')).rejects.toMatchObject({ code: 'refused' });
    expect(existsSync(file)).toBe(true);
  });

  test('no file that a process has open, by whatever name', async () => {
    const { folder, trash, file } = await withTrash();
    linkSync(file, join(folder, 'other'));
    const opened = openSync(join(folder, 'other'), 'r');
    const holder = spawn('sleep', ['30'], { stdio: ['ignore', 'ignore', 'ignore', opened] });
    closeSync(opened);
    onTestFinished(() => void holder.kill('SIGKILL'));
    const refused = { code: 'refused', message: expect.stringContaining(`process ${holder.pid}`) };
    await expect(purge(trash, 'old.qcow2')).rejects.toMatchObject(refused);
    expect(existsSync(file)).toBe(true);
  });

  test('no link and no folder that has taken the file’s place', async () => {
    const { folder, trash, file } = await withTrash();
    const precious = join(folder, 'precious');
    renameSync(file, precious);
    symlinkSync(precious, file);
    await expect(purge(trash, 'old.qcow2')).rejects.toMatchObject({ code: 'refused' });
    expect(existsSync(precious)).toBe(true);
    expect(existsSync(file)).toBe(true);
  });

  test.each(['../../precious', '..', '.', '', 'manifest.json'])(
    'nothing under the name %j',
    async name => {
      const { folder, trash } = await withTrash();
      writeFileSync(join(folder, 'precious'), 'x');
      await expect(purge(trash, name)).rejects.toMatchObject({ code: 'refused' });
      expect(existsSync(join(folder, 'precious'))).toBe(true);
    },
  );
});
