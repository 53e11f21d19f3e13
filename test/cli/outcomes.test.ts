import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { DomainRemoveJson, ResultJson } from '../../src/cli/schema.ts';
import { type Place, placeWithDomain } from './domsnap.ts';

const run = async (here: Place, ...args: string[]): Promise<string> => {
  const { exit, stdout, stderr } = await here.run(args);
  if (exit !== 0) throw new Error(stderr);
  return stdout;
};

const runState = (pid: number): string =>
  readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] ?? '';

/** A create in whose middle the domain's QEMU is killed. */
async function widowed(here: Place, ...args: string[]) {
  const create = here.start(['create', 'web1', 's1', ...args], {
    DOMSNAP_FAILPOINT: 'createOverlays:after',
    DOMSNAP_FAILPOINT_SIGNAL: 'SIGSTOP',
  });
  while (runState(create.pid) !== 'T') await sleep(20);
  const pid = Number.parseInt(readFileSync(join(here.home, 'run/web1.pid'), 'utf8'), 10);
  process.kill(pid, 'SIGKILL');
  process.kill(create.pid, 'SIGCONT');
  return create.ended;
}

test('a create whose QEMU dies says that the domain is off for that, and how to run it again', async () => {
  const here = await placeWithDomain();
  await run(here, 'domain', 'start', 'web1');
  const { exit, stderr } = await widowed(here);
  expect(exit, stderr).toBe(4);
  expect(stderr).toContain('web1 is off, since its QEMU has gone (before: running)');
  expect(stderr).toContain("'domsnap domain start web1' runs it again");
  await run(here, 'domain', 'start', 'web1');
  const { stdout } = await widowed(here, '--json');
  const result = ResultJson.parse(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''));
  expect(result).toMatchObject({ outcome: 'rolledBack', died: true, runBefore: 'running' });
});

test('a delete says how many snapshots are left, of all', async () => {
  const here = await placeWithDomain();
  for (const name of ['a', 'b', 'c', 'd']) await run(here, 'create', 'web1', name);
  expect(await run(here, 'delete', 'web1', 'd')).toMatch(/left +3 snapshots$/m);
  expect(await run(here, 'delete', 'web1', 'a')).toMatch(/left +2 snapshots$/m);
  expect(await run(here, 'delete', 'web1', 'b')).toMatch(/left +1 snapshot$/m);
  expect(await run(here, 'delete', 'web1', 'c')).toMatch(/left +no snapshots$/m);
});

test('a domain that is forgotten leaves the paths of its disks, where its file names others', async () => {
  const here = await placeWithDomain();
  await run(here, 'create', 'web1', 's1');
  await run(here, 'revert', 'web1', 's1');
  const tree = JSON.parse(await run(here, '--json', 'list', 'web1')) as {
    snapshots: { name: string }[];
  };
  const left = tree.snapshots.find(({ name }) => name !== 's1')?.name ?? '';
  await run(here, 'delete', 'web1', left);
  await run(here, 'delete', 'web1', 's1');
  const shown = JSON.parse(await run(here, '--json', 'domain', 'show', 'web1')) as {
    domain: { disks: { head: { path: string } }[] };
  };
  const heads = shown.domain.disks.map(({ head }) => head.path);
  const told = await run(here, 'domain', 'remove', 'web1');
  for (const head of heads) expect(told).toContain(head);
  expect(heads).not.toContain(here.path('vda.qcow2'));
  expect(told).toContain(`its file names ${here.path('vda.qcow2')}`);

  const plain = await placeWithDomain();
  const removed = DomainRemoveJson.parse(await plain.json(['domain', 'remove', 'web1']));
  expect(removed.heads).toEqual(
    [
      ...[{ device: 'vda', path: plain.path('vda.qcow2'), format: 'qcow2' }],
      ...[{ device: 'vdb', path: plain.path('vdb.raw'), format: 'raw' }],
    ].map(head => ({ ...head, inFile: head.path })),
  );
});
