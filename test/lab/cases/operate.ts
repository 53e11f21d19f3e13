import { expect } from 'vitest';
import type { Snapshot } from '../../../src/catalog/model.ts';
import { recover } from '../../../src/operations/recover.ts';
import { type Report, type RunOptions, runRequest } from '../../../src/operations/run-request.ts';
import { freeContext, type Session } from '../../../src/operations/session.ts';
import type { Request } from '../../../src/plan/request.ts';
import type { RunState } from '../../../src/toolstacks/port.ts';
import { DOMAIN, type World } from './harness.ts';
import { assertInvariants, contentStands, usableSnapshots } from './invariants.ts';

/** A request to the world's domain. */
export type Wish = Request extends infer One
  ? One extends Request
    ? Omit<One, 'domain'>
    : never
  : never;

/** How to run it. */
export interface Expected extends RunOptions {
  readonly outcome?: Report['outcome'];
  /** Where it is not what the operation promises by itself. */
  readonly runState?: RunState;
  /** A session that has been meddled with. */
  readonly session?: Session;
  /** What has to be put right before the world is looked at. */
  readonly settle?: () => Promise<void> | void;
}

/** Run an operation to the outcome that is expected, and prove I1 to I8. */
export async function operate(
  world: World,
  wish: Wish,
  caseId: string,
  expected: Expected = {},
): Promise<Report> {
  const { outcome = 'committed', session = world.session, runState, settle, ...options } = expected;
  const promised = runState ?? (await promisedBy(world, wish));
  if (wish.operation === 'delete') await lastLook(world, wish);
  const request = { ...wish, domain: DOMAIN } as Request;
  const report = await runRequest(session, request, options);
  expect({
    outcome: report.outcome,
    failures: outcome === report.outcome && outcome !== 'committed' ? [] : report.failures,
  }).toEqual({
    outcome,
    failures: [],
  });
  expect(report.caseId).toEqual(caseId);
  await settle?.();
  const waiting = outcome === 'needsAttention' || outcome === 'parked';
  await assertInvariants(world, { runState: promised, waiting });
  return report;
}

/** The contents of what is about to be deleted have never changed (I3). */
async function lastLook(world: World, { name, extent = 'one' }: Wish & { operation: 'delete' }) {
  for (const snapshot of usableSnapshots(world)) {
    // Children are not told apart from others: reading too much does no harm.
    if (extent !== 'one' || snapshot.name === name) await contentStands(world, snapshot);
  }
}

/** What was in the way is gone: recovery brings the operation to its end. */
export async function recoverTo(
  world: World,
  outcome: Report['outcome'],
  runState: RunState,
): Promise<void> {
  const reports = await recover(world.session, undefined);
  expect(reports.map(report => report.outcome)).toEqual([outcome]);
  await assertInvariants(world, { runState });
}

/** How the domain is to stand after an operation: as before, or as a revert says. */
async function promisedBy(world: World, wish: Wish): Promise<RunState> {
  if (wish.operation === 'revert') {
    const target = snapshotOf(world, wish.name);
    const wanted = wish.runAfter ?? target.memory?.runState;
    if (wanted) return wanted;
  }
  return runStateOf(world);
}

/** How the domain stands. */
export async function runStateOf({ session }: World): Promise<RunState> {
  const toolstack = await session.openToolstack(session.catalog.domain(DOMAIN)!);
  try {
    return await toolstack.runState(freeContext());
  } finally {
    await toolstack.close();
  }
}

/** A snapshot of the catalog that must be there. */
export function snapshotOf({ session }: World, name: string): Snapshot {
  const found = session.catalog.snapshot(DOMAIN, name);
  if (!found) throw new Error(`there is no snapshot ${name}`);
  return found;
}
