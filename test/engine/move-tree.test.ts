import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

const EXAMPLE = new URL('../../src/examples/move-tree.ts', import.meta.url).pathname;
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const world = () => {
  const folder = mkdtempSync(join(tmpdir(), 'move-tree-'));
  folders.push(folder);
  mkdirSync(join(folder, 'here', 'deep'), { recursive: true });
  writeFileSync(join(folder, 'here', 'a'), 'first');
  writeFileSync(join(folder, 'here', 'deep', 'b'), 'second');
  return folder;
};
const run = (folder: string, failpoint = '') =>
  spawnSync(process.execPath, [EXAMPLE, 'here', 'there', 'journal'], {
    cwd: folder,
    env: { ...process.env, MOVE_FAILPOINT: failpoint },
    encoding: 'utf8',
  });
const trees = (folder: string) => readdirSync(folder).filter(name => name !== 'journal');
const isWhole = (folder: string, tree: string) =>
  readFileSync(join(folder, tree, 'a'), 'utf8') === 'first' &&
  readFileSync(join(folder, tree, 'deep', 'b'), 'utf8') === 'second';

const places = ['copyTree', 'takeName', 'removeOld']
  .flatMap(step => [`${step}:before`, `${step}:after`])
  .concat(['record:1', 'record:2', 'record:3', 'record:4']);

test.each(places)('a move that is killed at %s is finished by the next life', place => {
  const folder = world();
  const killed = run(folder, place);
  expect(killed.signal).toBe('SIGKILL');
  const here = trees(folder).includes('here');
  const there = trees(folder).includes('there');
  expect((here && isWhole(folder, 'here')) || (there && isWhole(folder, 'there'))).toBe(true);
  const recovered = run(folder);
  if (place === 'record:4') {
    // The last record closes the operation: the next life begins a move of a tree that has gone.
    expect(recovered.stdout).toBe('');
  } else {
    expect(recovered.stdout.trim(), recovered.stderr).toBe('committed');
  }
  expect(isWhole(folder, 'there')).toBe(true);
  expect(trees(folder).filter(name => !name.startsWith('there'))).toEqual([]);
});
