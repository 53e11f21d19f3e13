import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DomainShowJson, ListDomainJson, UndoJson } from '../../src/cli/schema.ts';
import { type Place, placeWithDomain } from './domsnap.ts';

/** Write a pattern to the disk, as the guest would. */
function write(path: string, pattern: number): void {
  const { status, stderr } = spawnSync('qemu-io', ['-c', `write -P ${pattern} 0 1M`, path], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
}

/** Does the disk hold the pattern? */
function holds(path: string, pattern: number): boolean {
  const { stdout } = spawnSync('qemu-io', ['-r', '-c', `read -P ${pattern} 0 1M`, path], {
    encoding: 'utf8',
  });
  return stdout.includes('read 1048576/1048576') && !stdout.includes('verification failed');
}

const run = async (here: Place, ...args: string[]) => {
  const { exit, stderr } = await here.run(args);
  if (exit !== 0) throw new Error(stderr);
};

const treeOf = async (here: Place) =>
  ListDomainJson.parse(await here.json(['list', 'web1'])).snapshots.map(({ name, parent, kind }) =>
    kind === 'abandoned' ? `left on ${parent}` : `${name} on ${parent}`,
  );
const headsOf = async (here: Place): Promise<string[]> =>
  DomainShowJson.parse(await here.json(['domain', 'show', 'web1'])).domain.disks.map(
    ({ head }) => head.path,
  );

/** s1 holds 1, then the head got 2, and a revert went back to s1. */
async function reverted(...create: string[]): Promise<{ here: Place; heads: string[] }> {
  const here = await placeWithDomain();
  write(here.path('vda.qcow2'), 1);
  await run(here, 'create', 'web1', 's1', ...create);
  const heads = await headsOf(here);
  write(heads[0] ?? '', 2);
  await run(here, 'revert', 'web1', 's1');
  return { here, heads };
}

test('an undo puts the disks back to what, and where, they were, and keeps what came since', async () => {
  const { here, heads } = await reverted();
  expect(holds((await headsOf(here))[0] ?? '', 1)).toBe(true);
  write((await headsOf(here))[0] ?? '', 3);
  await run(here, 'create', 'web1', 's2');
  const undone = UndoJson.parse(await here.json(['undo', 'web1']));
  expect(undone).toMatchObject({ ok: true, exit: 0, since: ['s2'], left: [] });
  expect(undone.operations.map(operation => operation.case.split('.')[0])).toEqual([
    'revert',
    'delete',
  ]);
  expect(await headsOf(here)).toEqual(heads);
  expect(holds(heads[0] ?? '', 2)).toBe(true);
  expect((await treeOf(here)).sort()).toEqual(['left on s2', 's1 on null', 's2 on s1']);
  expect((await here.run(['doctor', 'web1'])).exit).toBe(0);
  // What came since is whole, and can be gone back to.
  await run(here, 'revert', 'web1', undone.kept ?? '');
  expect(holds((await headsOf(here))[0] ?? '', 3)).toBe(true);
});

test('an undo is told like a revert: memory, how long it took, its operations', async () => {
  const { here } = await reverted();
  const { stdout } = await here.run(['undo', 'web1']);
  for (const fact of [
    /^ {2}memory +not loaded$/m,
    /^ {2}took +\S/m,
    /^ {2}operation +\w+, \w+$/m,
  ]) {
    expect(stdout).toMatch(fact);
  }
});

test('an undo of internal snapshots leaves no tag behind', async () => {
  const { here, heads } = await reverted('--disk', 'vda=internal', '--disk', 'vdb=none');
  const undone = UndoJson.parse(await here.json(['undo', 'web1']));
  expect(undone.ok).toBe(true);
  expect(await headsOf(here)).toEqual(heads);
  expect(holds(heads[0] ?? '', 2)).toBe(true);
  const { stdout } = spawnSync('qemu-img', ['snapshot', '-l', heads[0] ?? ''], {
    encoding: 'utf8',
  });
  const tags = [...stdout.matchAll(/^\d+ +(\S+)/gm)].map(match => match[1]?.split('.')[0]);
  expect(tags).toEqual(['s1', 'left']);
  expect((await here.run(['doctor', 'web1'])).exit).toBe(0);
});

describe('there is nothing to undo', () => {
  const refused = async (here: Place, ...says: string[]) => {
    const before = here.fingerprint();
    const { exit, stderr } = await here.run(['undo', 'web1']);
    expect(exit, stderr).toBe(3);
    for (const text of [...says, 'Nothing was touched']) expect(stderr).toContain(text);
    expect(here.fingerprint()).toBe(before);
  };

  test('where nothing was reverted', async () => {
    const here = await placeWithDomain();
    await run(here, 'create', 'web1', 's1');
    await refused(here, 'no revert of it is in the journal');
  });

  test('where what the disks held was deleted', async () => {
    const { here } = await reverted();
    const left = ListDomainJson.parse(await here.json(['list', 'web1'])).snapshots.find(
      ({ kind }) => kind === 'abandoned',
    );
    await run(here, 'delete', 'web1', left?.name ?? '');
    await refused(here, left?.name ?? '', 'is deleted');
  });

  test('a second time: it does not go to and fro', async () => {
    const { here, heads } = await reverted();
    const { kept } = UndoJson.parse(await here.json(['undo', 'web1']));
    await refused(here, 'taken back already', `domsnap revert web1 ${kept}`);
    expect(await headsOf(here)).toEqual(heads);
  });

  test('where there is no such domain', async () => {
    const here = await placeWithDomain();
    const refused = await here.run(['undo', 'web9']);
    expect(refused).toEqual(await here.run(['revert', 'web9', 's1']));
    expect(refused.exit).toBe(3);
    expect(refused.stderr).toContain('there is no domain "web9"');
  });
});

describe('an undo that is killed goes on when it is typed again', () => {
  test.each([
    ['prepareHeads:after', 'rolls back or goes on in its revert'],
    ['publish:before', 'in its revert, behind the pivot'],
    ['publish:after', 'between the record of the revert and the delete'],
    ['mergeUp:before', 'in its delete, before the pivot'],
    ['mergeDown:inside', 'in its delete, behind the pivot'],
    ['forget:before', 'at its very end'],
  ])('at %s: %s', async place => {
    const { here, heads } = await reverted();
    const killed = await here.run(['undo', 'web1'], { DOMSNAP_FAILPOINT: place });
    expect(killed.exit, killed.stderr).toBe('SIGKILL');
    const again = await here.run(['undo', 'web1']);
    expect(again.exit, again.stderr).toBe(0);
    expect(await headsOf(here)).toEqual(heads);
    expect(holds(heads[0] ?? '', 2)).toBe(true);
    const tree = await treeOf(here);
    expect(tree.filter(node => node.startsWith('left'))).toHaveLength(1);
    expect(readdirSync(dirname(heads[0] ?? '')).filter(name => name.includes('draft'))).toEqual([]);
    expect((await here.run(['doctor'])).exit).toBe(0);
  });
});

test('a domain that is off has no memory to keep: --safety checkpoint reverts all the same', async () => {
  const here = await placeWithDomain();
  await run(here, 'create', 'web1', 's1');
  await run(here, 'revert', 'web1', 's1', '--safety', 'checkpoint');
  expect((await treeOf(here)).sort()).toEqual(['left on s1', 's1 on null']);
});
