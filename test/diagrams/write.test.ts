import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MACHINES, machineOf } from '../../machines/index.ts';
import { diagramFiles, driftOf, writeDiagrams } from '../../src/diagrams/write.ts';

const create = machineOf('create.offline.disk-only.internal', 1);
const remove = machineOf('delete.offline.chain.internal', 1);
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'diagrams-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('a folder that was just written has no drift', async () => {
  const files = await diagramFiles([create, remove]);
  expect(await writeDiagrams(folder, files)).toHaveLength(6);
  expect(await driftOf(folder, files)).toEqual([]);
  expect(await writeDiagrams(folder, files)).toEqual([]);
});

test('one changed byte makes a file stale, and only that file', async () => {
  const files = await diagramFiles([create, remove]);
  await writeDiagrams(folder, files);
  const path = join(folder, 'create/create.offline.disk-only.internal.svg');
  const bytes = await readFile(path);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  await writeFile(path, bytes);
  expect(await driftOf(folder, files)).toEqual([
    { file: 'create/create.offline.disk-only.internal.svg', what: 'stale' },
  ]);
  expect(await readFile(path)).toEqual(bytes);
});

test('a file that is gone is missing, one that nobody draws is extra', async () => {
  const files = await diagramFiles([create]);
  await writeDiagrams(folder, files);
  await rm(join(folder, 'README.md'));
  await writeFile(join(folder, 'create/old.svg'), '<svg/>');
  expect(await driftOf(folder, files)).toEqual([
    { file: 'README.md', what: 'missing' },
    { file: 'create/old.svg', what: 'extra' },
  ]);
});

test('the files of a case that is gone are removed', async () => {
  await writeDiagrams(folder, await diagramFiles([create, remove]));
  await writeDiagrams(folder, await diagramFiles([create]));
  expect(await readdir(join(folder, 'delete'))).toEqual([]);
  expect(await readdir(join(folder, 'create'))).toHaveLength(2);
});

test('a folder that is not there misses every file', async () => {
  const files = await diagramFiles([create]);
  const drift = await driftOf(join(folder, 'nowhere'), files);
  expect(drift.map(({ what }) => what)).toEqual(['missing', 'missing', 'missing', 'missing']);
});

test('the README tells each case’s story and shows its image', async () => {
  const files = await diagramFiles([...MACHINES.values()]);
  const readme = files.get('README.md') ?? '';
  const page = files.get('index.html') ?? '';
  for (const { id, title } of MACHINES.values()) {
    const operation = id.split('.')[0];
    expect(readme).toContain(`### ${id}\n\n**${title}.** `);
    expect(readme).toContain(`](${operation}/${id}.svg)`);
    expect(files.has(`${operation}/${id}.svg`)).toBe(true);
    expect(page).toContain(`<section id="${id}">`);
    expect(page).toContain(files.get(`${operation}/${id}.svg`));
  }
  expect(page).not.toMatch(/\b(src|href)="(?!#)/);
});
