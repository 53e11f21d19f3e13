import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunOptions, runRequest } from '../../src/operations/run-request.ts';
import { revertSafely } from '../../src/operations/safe-revert.ts';
import { undoRevert } from '../../src/operations/undo.ts';
import type { Request } from '../../src/plan/request.ts';
import { launch } from './cases/command.ts';
import {
  boots,
  counters,
  DOMAIN,
  nonce,
  untilBooted,
  type World,
  worldDown,
  worldUp,
} from './cases/harness.ts';
import { assertInvariants } from './cases/invariants.ts';
import { OVERLAY } from './cases/storages.ts';

let world: World;
beforeAll(async () => {
  world = await worldUp(OVERLAY);
  await done({ operation: 'create', domain: DOMAIN, name: 's1' });
});
afterAll(() => worldDown(world));

async function done(request: Request): Promise<void> {
  expect(await runRequest(world.session, request)).toMatchObject({ outcome: 'committed' });
}

const names = () => world.session.catalog.snapshots(DOMAIN).map(({ name }) => name);
const heads = () => world.session.catalog.domain(DOMAIN)?.disks.map(({ head }) => head.path);

async function undone(options: RunOptions = {}): Promise<string> {
  const { reports, kept, left } = await undoRevert(world.session, { domain: DOMAIN }, options);
  expect(reports.map(({ outcome }) => outcome)).toEqual(['committed', 'committed']);
  expect(left).toEqual([]);
  return kept ?? '';
}

test('memory that --safety checkpoint has kept goes on where the revert cut it off', async () => {
  const before = { ...(await counters(world)), nonce: await nonce(world) };
  const [headsBefore, namesBefore] = [heads(), names()];
  const request = { operation: 'revert', domain: DOMAIN, name: 's1' } as const;
  expect(await revertSafely(world.session, request)).toMatchObject({ outcome: 'committed' });
  expect((await counters(world)).mem).toBeLessThan(before.mem);
  expect(names().some(name => name.startsWith('safety-'))).toBe(true);
  const kept = await undone();
  const now = await counters(world);
  expect(await nonce(world)).toBe(before.nonce);
  expect(now.mem).toBeGreaterThanOrEqual(before.mem);
  expect(now.vda).toBeGreaterThanOrEqual(before.vda);
  expect(names()).toEqual([...namesBefore, kept]);
  expect(heads()).toEqual(headsBefore);
  await assertInvariants(world, { runState: 'running' });
  await done({ operation: 'delete', domain: DOMAIN, name: kept });
});

test('without it the guest boots on the disks that it had, where they were', async () => {
  const before = await counters(world);
  const bootsBefore = boots(world);
  const [headsBefore, namesBefore] = [heads(), names()];
  await done({ operation: 'revert', domain: DOMAIN, name: 's1' });
  expect((await counters(world)).vda).toBeLessThan(before.vda);
  const kept = await undone();
  await untilBooted(world, bootsBefore);
  const now = await counters(world);
  expect(now.vda).toBeGreaterThanOrEqual(before.vda);
  expect(now.vdb).toBeGreaterThanOrEqual(before.vdb);
  expect(names()).toEqual([...namesBefore, kept]);
  expect(heads()).toEqual(headsBefore);
  await assertInvariants(world, { runState: 'running', fully: true });
});

test('a revert that fails takes the checkpoint of its safety away again', async () => {
  const before = names();
  const seen: string[] = [];
  const abort = new AbortController();
  const observer: NonNullable<RunOptions['observer']> = {
    recorded({ to }) {
      seen.push(to);
      if (to === 'prepareHeads') abort.abort('the user');
    },
  };
  const request = { operation: 'revert', domain: DOMAIN, name: 's1' } as const;
  const report = await revertSafely(world.session, request, { observer, abort: abort.signal });
  expect(report.outcome).toBe('rolledBack');
  expect(seen).toContain('publish');
  expect(names()).toEqual(before);
  await assertInvariants(world, { runState: 'running' });
});

describe('an undo of a running domain that is killed goes on when it is typed again', () => {
  test.each([['stopDomain:after'], ['publish:after'], ['pivotMerges:after']])('at %s', async at => {
    const headsBefore = heads();
    await done({ operation: 'revert', domain: DOMAIN, name: 's1' });
    const killed = await launch(world, ['undo', DOMAIN], { DOMSNAP_FAILPOINT: at }).finished;
    expect(killed.signal, killed.stderr).toBe('SIGKILL');
    const again = await launch(world, ['undo', DOMAIN, '--wait=60']).finished;
    // The watchdog may have finished it meanwhile.
    const finished = again.code === 3 && again.stderr.includes('taken back already');
    expect(again.code === 0 || finished, again.stderr).toBe(true);
    expect(heads()).toEqual(headsBefore);
    await assertInvariants(world, { runState: 'running' });
  });
});
