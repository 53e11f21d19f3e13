import { readdirSync, readFileSync, renameSync } from 'node:fs';
import { expect, test } from 'vitest';
import * as schema from '../../src/cli/schema.ts';
import { type Place, placeWithDomain } from './domsnap.ts';

async function running(): Promise<Place> {
  const here = await placeWithDomain();
  await here.run(['domain', 'start', 'web1']);
  return here;
}

const images = (here: Place): string[] =>
  readdirSync(here.folder).filter(name => /qcow2|raw|memory/.test(name));

test('Ctrl-C calls a create off: exit 4, the guest runs, nothing is left behind', async () => {
  const here = await running();
  const create = here.start(['create', 'web1', 's1']);
  await create.shows('reserve');
  process.kill(create.pid, 'SIGINT');
  const { exit, stderr } = await create.ended;
  expect(exit, stderr).toBe(4);
  expect(stderr).toContain('SIGINT: calling off');
  expect(stderr).toContain('web1 runs, its disks are as before; nothing is left behind');
  expect(images(here).sort()).toEqual(['vda.qcow2', 'vdb.raw']);
  const { snapshots } = schema.ListDomainJson.parse(await here.json(['list', 'web1']));
  expect(snapshots).toEqual([]);
});

test('a terminal that closes hangs up twice, and means it once: all goes back, nothing stays open', async () => {
  const here = await running();
  const create = here.start(['create', 'web1', 's1']);
  await create.shows('reserve');
  process.kill(create.pid, 'SIGHUP');
  await create.shows('SIGHUP: calling off');
  process.kill(create.pid, 'SIGHUP');
  const { exit, stderr } = await create.ended;
  expect(exit, stderr).toBe(4);
  expect(images(here).sort()).toEqual(['vda.qcow2', 'vdb.raw']);
});

test('Ctrl-C behind the pivot comes too late: it says so, and finishes', async () => {
  const here = await running();
  await here.run(['create', 'web1', 's1']);
  const revert = here.start(['revert', 'web1', 's1']);
  await revert.shows('stopDomain');
  process.kill(revert.pid, 'SIGTERM');
  const { exit, stdout, stderr } = await revert.ended;
  expect(exit, stderr).toBe(0);
  expect(stderr).toContain('SIGTERM: too late to call off');
  expect(stdout).toContain('web1 is back at s1; it runs');
});

test('Ctrl-C twice stops at the next safe place, and recover goes on from there', async () => {
  const here = await running();
  await here.run(['create', 'web1', 's1']);
  const revert = here.start(['revert', 'web1', 's1', '--json']);
  await revert.shows('"step":"stopDomain"');
  process.kill(revert.pid, 'SIGINT');
  await revert.shows('"event":"signal"');
  process.kill(revert.pid, 'SIGINT');
  const { exit, stdout } = await revert.ended;
  const result = schema.ResultJson.parse(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''));
  // Parked, or called off before the pivot if the signals were quick: never anything else.
  expect([4, 5]).toContain(exit);
  expect(result.exit).toBe(exit);
  if (exit === 5) expect(result.error?.hint).toContain(`domsnap recover ${result.operation}`);
  schema.RecoverJson.parse(await here.json(['recover']));
  const { view } = schema.DomainShowJson.parse(await here.json(['domain', 'show', 'web1']));
  expect(view.runState).toBe('running');
});

test('a domsnap that is killed leaves an open operation; recover takes it back, twice does no harm', async () => {
  const here = await running();
  const env = { DOMSNAP_FAILPOINT: 'snapshotDisks:after' };
  const killed = await here.run(['create', 'web1', 's1'], env);
  expect(killed.exit).toBe('SIGKILL');
  const { operations } = schema.LogJson.parse(await here.json(['log']));
  expect(operations.map(({ status }) => status)).toEqual(['open']);
  const id = operations[0]?.id ?? '';
  const refused = await here.run(['domain', 'remove', 'web1']);
  expect(refused.exit, refused.stderr).toBe(3);

  const recovered = await here.run(['recover']);
  expect(recovered.exit, recovered.stderr).toBe(0);
  expect(recovered.stdout).toContain('was taken back');
  expect(recovered.stdout).toContain('web1 runs, its disks are as before');
  const again = await here.run(['recover', id]);
  expect(again).toMatchObject({ exit: 0, stdout: `nothing to do: ${id} is rolledBack\n` });
  expect(images(here).sort()).toEqual(['vda.qcow2', 'vdb.raw']);
});

test('a domsnap that is killed has its operation taken back, and nobody types anything', async () => {
  const here = await running();
  const env = { DOMSNAP_FAILPOINT: 'startCapture:after', DOMSNAP_WATCHDOG: '10' };
  expect((await here.run(['create', 'web1', 's1'], env)).exit).toBe('SIGKILL');
  const status = async () =>
    schema.LogJson.parse(await here.json(['log'])).operations.map(operation => operation.status);
  await expect.poll(status, { timeout: 20_000 }).toEqual(['rolledBack']);
  const { view } = schema.DomainShowJson.parse(await here.json(['domain', 'show', 'web1']));
  expect(view.runState).toBe('running');
  expect(images(here).sort()).toEqual(['vda.qcow2', 'vdb.raw']);
});

test('a command typed while the watchdog recovers waits for it, and is not told that the domain is busy', async () => {
  const here = await running();
  const env = { DOMSNAP_FAILPOINT: 'snapshotDisks:after', DOMSNAP_WATCHDOG: '10' };
  await here.run(['create', 'web1', 's1'], env);
  // Neither path may end in exit 6: the watchdog is quicker than the command here, or it is not.
  await new Promise(resolve => setTimeout(resolve, 150));
  const { exit, stderr } = await here.run(['create', 'web1', 's2']);
  expect(exit, stderr).toBe(0);
});

test('what a dead domsnap left open is brought to its end before anything new is begun', async () => {
  const here = await running();
  await here.run(['create', 'web1', 's1'], { DOMSNAP_FAILPOINT: 'recordHeads:after' });
  const { exit, stdout, stderr } = await here.run(['create', 'web1', 's2', '--json']);
  expect(exit, stderr).toBe(0);
  const events = stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));
  const result = schema.ResultJson.parse(events.at(-1));
  expect(result.recovered).toHaveLength(1);
  expect(events[0]).toMatchObject({ event: 'recovering', operation: result.recovered[0] });
  const { snapshots } = schema.ListDomainJson.parse(await here.json(['list', 'web1']));
  expect(snapshots.map(({ name }) => name)).toContain('s2');
});

test('a log file holds every step of the operation, with domain, case and effect key', async () => {
  const here = await running();
  const { exit, stdout, stderr } = await here.run([
    'create',
    'web1',
    's1',
    '--log-file',
    here.path('log'),
  ]);
  expect(exit, stderr).toBe(0);
  expect(stdout).toContain('operation');
  const log = readFileSync(here.path('log'), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));
  expect(log[0]).toMatchObject({ domain: 'web1', case: 'create.live.background.external' });
  expect(log.some(({ key }) => /^[0-9a-z]+\/\d+\/snapshotDisks$/.test(key))).toBe(true);
});

test('what cannot be taken back waits for a person: exit 5, with the state, the cause, and what to type', async () => {
  const here = await running();
  await here.run(['create', 'web1', 's1'], { DOMSNAP_FAILPOINT: 'snapshotDisks:after' });
  const pid = Number.parseInt(readFileSync(`${here.home}/run/web1.pid`, 'utf8'), 10);
  process.kill(pid, 'SIGKILL');
  renameSync(here.path('vda.qcow2'), here.path('elsewhere'));

  const recovered = await here.run(['recover']);
  expect(recovered.exit, recovered.stderr).toBe(5);
  const [, id = ''] = /'domsnap recover ([0-9a-z]+)' goes on/.exec(recovered.stderr) ?? [];
  expect(recovered.stderr).toContain('web1 is off');
  expect(recovered.stderr).toContain('vda.qcow2');
  expect(recovered.stderr).toContain(`domsnap log --operation ${id}`);

  const next = await here.run(['create', 'web1', 's2', '--json']);
  expect(next.exit).toBe(5);
  const { error } = schema.FailureJson.parse(
    JSON.parse(next.stdout.trimEnd().split('\n').at(-1) ?? ''),
  );
  expect(error).toMatchObject({ code: 'needs-attention', hint: expect.stringContaining(id) });

  renameSync(here.path('elsewhere'), here.path('vda.qcow2'));
  const healed = await here.run(['recover', id]);
  expect(healed.exit, healed.stderr).toBe(0);
  expect(images(here).sort()).toEqual(['vda.qcow2', 'vdb.raw']);
});
