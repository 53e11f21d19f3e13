import { spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/engine/system-clock.ts';
import { draftOf } from '../../src/storages/draft.ts';
import { hostImages } from '../../src/storages/images.ts';
import { runLockedByInput, toolAtWork, toolLock } from '../../src/storages/locked-tool.ts';
import { lockedArgv } from '../../src/tools/flock-argv.ts';
import { tempFolder } from '../tools/temp-folder.ts';
import { contextFor } from './conformance.ts';

test('a tool that closes what it was not told of, as LVM does, holds its lock for as long as it works', async () => {
  const image = join(tempFolder(), 'disk');
  writeFileSync(image, '');
  const closing = 'exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec sleep 2';
  const work = runLockedByInput(['sh', '-c', closing], image, contextFor());
  // Long enough for the lock's file to be no proof by its age.
  await new Promise(resolve => setTimeout(resolve, 1200));
  expect(await toolAtWork(image)).toBe(true);
  const second = runLockedByInput(['true'], image, contextFor());
  await expect(second).rejects.toMatchObject({ code: 'busy', detail: { lock: toolLock(image) } });
  await work;
  expect(await toolAtWork(image)).toBe(false);
});

test('a copy that is given up ends the tool that has outlived its engine, and leaves no lock', async () => {
  const folder = tempFolder();
  const image = join(folder, 'disk');
  const draft = draftOf(image);
  writeFileSync(image, '');
  // Killed, an engine leaves such a tool: it has the lock, and the draft among its words.
  const argv = lockedArgv(toolLock(image), ['sh', '-c', 'read forever', 'sh', draft]);
  const tool = spawn(argv[0], argv.slice(1), { stdio: 'pipe' });
  const ended = new Promise(resolve => tool.once('exit', (_code, signal) => resolve(signal)));
  writeFileSync(draft, 'half');
  await new Promise(resolve => setTimeout(resolve, 700));
  expect(await toolAtWork(image)).toBe(true);
  await hostImages({ clock: systemClock }).perform(
    { do: 'dropDraft', image: { path: image, format: 'qcow2' } },
    contextFor(),
  );
  expect(await ended).toBe('SIGTERM');
  expect(readdirSync(folder)).toEqual(['disk']);
});

test('what such a tool fails of is told as of any other', async () => {
  const image = join(tempFolder(), 'disk');
  writeFileSync(image, '');
  const failing = runLockedByInput(['sh', '-c', 'echo no >&2; exit 5'], image, contextFor());
  await expect(failing).rejects.toMatchObject({ code: 'failed', detail: { exitCode: 5 } });
});
