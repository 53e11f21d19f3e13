import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as schema from '../../src/cli/schema.ts';
import { sqliteLocks } from '../../src/journal/lock.ts';
import { domainFile, type Place, placeWithDomain, qemuImg } from './domsnap.ts';

/** The domain of `placeWithDomain`, started on a real QEMU. */
async function running(): Promise<Place> {
  const here = await placeWithDomain();
  const { exit, stderr } = await here.run(['domain', 'start', 'web1']);
  if (exit !== 0) throw new Error(stderr);
  return here;
}

const lines = (stdout: string): unknown[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));

test('what each command prints with --json is what its schema promises', async () => {
  const here = await running();
  const created = await here.run(['create', 'web1', 's1', '--json', '--reason', 'CHG-1']);
  const events = lines(created.stdout);
  const result = schema.ResultJson.parse(events.pop());
  for (const event of events) schema.EventJson.parse(event);
  expect(result).toMatchObject({ ok: true, exit: 0, domainState: 'running', name: 's1' });
  expect(result.snapshot?.consistency).toBe('memory');
  expect(result.guestPauseMs).toBeGreaterThan(0);
  expect(result.guestPauseMs).toBeLessThan(result.elapsedMs);

  const plan = schema.PlanJson.parse(await here.json(['plan', 'delete', 'web1', 's1']));
  expect(plan.ok).toBe(true);
  expect(plan.steps.flatMap(({ commands }) => commands).length).toBeGreaterThan(0);
  const list = schema.ListDomainJson.parse(await here.json(['list', 'web1']));
  expect(list.snapshots.map(({ name }) => name)).toEqual(['s1']);
  expect(list.snapshots[0]?.ownBytes).toBeGreaterThan(0);
  schema.ListJson.parse(await here.json(['list']));
  const shown = schema.ShowJson.parse(await here.json(['show', 'web1', 's1']));
  expect(shown).toMatchObject({ current: true, by: { reason: 'CHG-1' } });
  const view = schema.DomainShowJson.parse(await here.json(['domain', 'show', 'web1']));
  expect(view.view.runState).toBe('running');
  schema.DomainListJson.parse(await here.json(['domain', 'list']));

  schema.ResultJson.parse(await here.json(['revert', 'web1', 's1', '--paused']));
  const [left] = schema.ListDomainJson.parse(await here.json(['list', 'web1'])).snapshots.filter(
    ({ kind }) => kind === 'abandoned',
  );
  schema.ResultJson.parse(await here.json(['delete', 'web1', left?.name ?? '']));
  schema.RecoverJson.parse(await here.json(['recover']));
  const log = schema.LogJson.parse(await here.json(['log', 'web1']));
  expect(log.operations.map(operation => operation.case.split('.')[0])).toEqual([
    'delete',
    'revert',
    'create',
  ]);
  schema.LogOperationJson.parse(await here.json(['log', '--operation', result.operation]));
  const verified = schema.LogVerifyJson.parse(await here.json(['log', 'verify']));
  const exported = lines((await here.run(['log', 'export'])).stdout);
  for (const record of exported) schema.RecordJson.parse(record);
  expect(exported).toHaveLength(verified.records);
  const followed = await here.run(['log', '--operation', result.operation, '--follow', '--json']);
  for (const record of lines(followed.stdout)) schema.FollowJson.parse(record);
  schema.DomainStateJson.parse(await here.json(['domain', 'stop', 'web1']));
});

test('people are shown each step on stderr, and a summary with files and pause on stdout', async () => {
  const here = await running();
  const { exit, stdout, stderr } = await here.run(['create', 'web1', 's1']);
  expect(exit, stderr).toBe(0);
  expect(stderr).toMatch(/✔ snapshotDisks +\d+ ms {2}take all disks at one instant/);
  expect(stdout).toMatch(/guest pause +\d/);
  expect(stdout).toContain(here.path('vda.qcow2'));
  expect(stdout).toContain('memory: a revert goes on from this very instant');
  expect(`${stdout}${stderr}`).not.toContain('\u001b');
});

test('without an agent, a snapshot that must be quiesced is refused', async () => {
  const here = await running();
  const before = here.fingerprint();
  const args = ['create', 'web1', 's1', '--memory', 'none', '--quiesce', 'require'];
  const { exit, stderr } = await here.run(args);
  expect(exit, stderr).toBe(3);
  expect(stderr).toContain('agent');
  expect(stderr).toContain('--quiesce try');
  expect(here.fingerprint()).toBe(before);
});

test('a monitor that belongs to another domain’s QEMU is left alone', async () => {
  const here = await running();
  qemuImg('create', '-q', '-f', 'qcow2', here.path('other.qcow2'), '1M');
  const disks = [{ device: 'vda', path: './other.qcow2', format: 'qcow2' }];
  writeFileSync(here.path('web2.yaml'), domainFile({ name: 'web2', disks }));
  const { exit, stderr } = await here.run(['domain', 'add', here.path('web2.yaml')]);
  expect(exit, stderr).toBe(3);
  expect(stderr).toContain('web1');
  const { domains } = schema.DomainListJson.parse(await here.json(['domain', 'list']));
  expect(domains.map(({ name, state }) => `${name} ${state}`)).toEqual(['web1 running']);
});

describe('while another operation has the domain', () => {
  test('a command ends with 6, or waits for as long as it was told', async () => {
    const here = await placeWithDomain();
    const lock = sqliteLocks(here.home).tryAcquire('web1');
    const busy = await here.run(['create', 'web1', 's1']);
    expect(busy.exit, busy.stderr).toBe(6);
    expect(busy.stderr).toContain('--wait');
    expect((await here.run(['create', 'web1', 's1', '--wait', '0.3'])).exit).toBe(6);
    const waiting = here.run(['create', 'web1', 's1', '--wait']);
    setTimeout(() => lock?.release(), 3_000);
    expect((await waiting).exit).toBe(0);
  });

  test('two that wait are both done, one after the other', async () => {
    const here = await placeWithDomain();
    const both = await Promise.all(
      ['s1', 's2'].map(name => here.run(['create', 'web1', name, '--wait=60'])),
    );
    expect(both.map(({ exit }) => exit)).toEqual([0, 0]);
    const { snapshots } = schema.ListDomainJson.parse(await here.json(['list', 'web1']));
    expect(snapshots.map(({ name }) => name).sort()).toEqual(['s1', 's2']);
  });
});
