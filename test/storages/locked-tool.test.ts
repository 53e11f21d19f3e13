import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runLockedByInput, toolAtWork, toolLock } from '../../src/storages/locked-tool.ts';
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

test('what such a tool fails of is told as of any other', async () => {
  const image = join(tempFolder(), 'disk');
  writeFileSync(image, '');
  const failing = runLockedByInput(['sh', '-c', 'echo no >&2; exit 5'], image, contextFor());
  await expect(failing).rejects.toMatchObject({ code: 'failed', detail: { exitCode: 5 } });
});
