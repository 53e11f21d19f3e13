import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { canonical } from '../../src/engine/json.ts';
import { stopDomain } from '../../src/operations/domains.ts';
import { planRequest, runRequest } from '../../src/operations/run-request.ts';
import { freeContext } from '../../src/operations/session.ts';
import type { PlannedStep } from '../../src/plan/preview.ts';
import type { Request } from '../../src/plan/request.ts';
import { DOMAIN, startAgain, type World, worldDown, worldUp } from './cases/harness.ts';
import { OVERLAY } from './cases/storages.ts';

let world: World;
beforeAll(async () => {
  world = await worldUp(OVERLAY);
  await runRequest(world.session, { operation: 'create', domain: DOMAIN, name: 'one' });
  await runRequest(world.session, {
    operation: 'create',
    domain: DOMAIN,
    name: 'two',
    memory: 'none',
  });
});
afterAll(() => worldDown(world));

/** Everything that a plan could have touched: files, catalog, journal, QEMU's own view. */
async function look(contents: boolean): Promise<string> {
  const { session, lab } = world;
  const domain = session.catalog.domain(DOMAIN)!;
  const toolstack = await session.openToolstack(domain);
  const context = freeContext();
  try {
    const files = readdirSync(lab.files.folder, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile() && !entry.name.startsWith('console'))
      .map(entry => join(entry.parentPath, entry.name))
      .sort()
      .map(path => [
        path,
        statSync(path).mode,
        contents ? createHash('sha256').update(readFileSync(path)).digest('hex') : '',
      ]);
    return canonical([
      files,
      domain,
      session.catalog.snapshots(DOMAIN),
      session.journal.since(0, 10_000).length,
      await toolstack.runState(context),
      await toolstack.liveDisks(context),
      await toolstack.jobs(context),
    ]);
  } finally {
    await toolstack.close();
  }
}

const REQUESTS: readonly Request[] = [
  { operation: 'create', domain: DOMAIN, name: 'planned' },
  { operation: 'create', domain: DOMAIN, name: 'planned', memory: 'paused' },
  { operation: 'create', domain: DOMAIN, name: 'planned', memory: 'none', quiesce: 'require' },
  { operation: 'revert', domain: DOMAIN, name: 'one' },
  { operation: 'revert', domain: DOMAIN, name: 'two', runAfter: 'off' },
  { operation: 'delete', domain: DOMAIN, name: 'one' },
  { operation: 'delete', domain: DOMAIN, name: 'one', extent: 'children' },
];

test.each(REQUESTS)('a plan of $operation touches nothing of a running domain', async request => {
  const before = await look(false);
  const { plan, steps } = await planRequest(world.session, request);
  expect(plan.refusals).toEqual([]);
  expect(steps.length).toBeGreaterThan(3);
  expect(steps.flatMap(({ commands }) => commands).length).toBeGreaterThan(0);
  expect(await look(false)).toBe(before);
});

/** Ends of jobs and files are the plan's "how", not its "what"; what only asks is not shown either. */
const DETAIL = /^(job-|blockdev-del$|query-|migrate-set-|qmp_capabilities|human-monitor-command)/;
/** As text, whatever the operation is called, and whether no arguments are said or left out. */
const same = (command: unknown, operation: string) =>
  canonical(command).replaceAll(operation, 'OPERATION').replace('"arguments":{},', '');
const ownCommands = (calls: readonly { tool: string; command: unknown }[], operation: string) =>
  calls
    .filter(({ tool, command }) => {
      if (tool === 'qmp') {
        const { execute } = command as { execute?: string };
        return execute !== undefined && !DETAIL.test(execute);
      }
      if (tool !== 'exec') return false;
      const [program, verb] = command as string[];
      return program === 'qemu-img' && verb !== 'info';
    })
    .map(({ command }) => same(command, operation));

test.each([
  { operation: 'create', domain: DOMAIN, name: 'three' },
  { operation: 'create', domain: DOMAIN, name: 'four', memory: 'none' },
  { operation: 'delete', domain: DOMAIN, name: 'two' },
] satisfies Request[])(
  'nothing is done in $operation $name that the plan did not show',
  async request => {
    let planned: readonly PlannedStep[] = [];
    const report = await runRequest(world.session, request, {
      observer: {
        planned(_plan, steps) {
          planned = steps;
        },
      },
    });
    expect(report.outcome).toBe('committed');
    const { operation } = report;
    const shown = planned.flatMap(({ commands }) =>
      commands.map(({ command }) => same(command, operation)),
    );
    const calls = world.session.journal.records(operation).flatMap(record => record.calls);
    const done = ownCommands(calls, operation);
    expect(done.length).toBeGreaterThan(1);
    expect(done.filter(command => !shown.includes(command))).toEqual([]);
  },
);

test('a plan touches no byte of a domain that is off, and says what it would run', async () => {
  await stopDomain(world.session, DOMAIN, {});
  const before = await look(true);
  for (const request of REQUESTS.filter(({ name }) => name !== 'two')) {
    if (request.operation === 'create') continue;
    await planRequest(world.session, request);
  }
  const { steps } = await planRequest(world.session, {
    operation: 'delete',
    domain: DOMAIN,
    name: 'one',
  });
  const commands = steps.flatMap(step => step.commands.map(({ command }) => canonical(command)));
  expect(commands.join('\n')).toMatch(/qemu-img.*(rebase|commit)/);
  expect(await look(true)).toBe(before);
  await startAgain(world);
});
