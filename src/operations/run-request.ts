import type { Failure, Outcome } from '../../machines/saga.ts';
import type { Domain } from '../catalog/model.ts';
import type { Ending, Observer } from '../engine/run.ts';
import type { Plan } from '../plan/plan.ts';
import type { PlannedStep } from '../plan/preview.ts';
import { RefusedError } from '../plan/refusal.ts';
import type { Request } from '../plan/request.ts';
import { survey } from '../plan/survey.ts';
import type { RunState, Toolstack } from '../toolstacks/port.ts';
import { foreignChanges, takeForeign, withChanges } from './foreign.ts';
import { knownDomain } from './known-domain.ts';
import { recoverDomain } from './recover.ts';
import { freeContext, lockDomain, type Session, type Waiting } from './session.ts';
import { toRefusal } from './to-refusal.ts';

/** How to run a request. */
export interface RunOptions extends Waiting {
  /** Fires to call the operation off. */
  readonly abort?: AbortSignal;
  /** Fires to leave it open at the next safe place. */
  readonly park?: AbortSignal;
  /** Watches; the plan is known before the first step runs. */
  readonly observer?: Observer & { planned?(plan: Plan, steps: readonly PlannedStep[]): void };
}

/** How an operation ended. */
export interface Report {
  readonly operation: string;
  readonly domain: string;
  readonly name: string;
  readonly caseId: string;
  readonly outcome: Outcome | 'parked';
  /** Why it is not `committed`, first cause first; also what a needed attention is about. */
  readonly failures: readonly Failure[];
  /** The state in which it waits, where it is not at its end. */
  readonly state: string;
  /** How the domain stood at the end; `unknown` where it did not say. */
  readonly domainState: RunState | 'unknown';
}

/** Plan a request, and run it to an outcome. Throws RefusedError, BusyError before anything is touched. */
export async function runRequest(
  session: Session,
  request: Request,
  options: RunOptions = {},
): Promise<Report> {
  const lock = await lockDomain(session, request.domain, options);
  try {
    await recoverDomain(session, request.domain, options);
    return await runUnderLock(session, request, options);
  } finally {
    lock.release();
  }
}

/** The same for a caller that holds the domain's lock, and has seen to it that no operation is open. */
export function runUnderLock(
  session: Session,
  request: Request,
  options: RunOptions,
): Promise<Report> {
  return withToolstack(session, request.domain, async (toolstack, known) => {
    const domain = await toRefusal(() => takeForeign(session, toolstack, known));
    const plan = await makePlan(session, toolstack, domain, request);
    if (plan.refusals.length > 0) throw new RefusedError(plan.refusals);
    return runPlan(session, toolstack, plan, options);
  });
}

/** Run what was decided, to an outcome. The caller holds the lock of what it works on. */
export async function runPlan(
  session: Session,
  toolstack: Toolstack,
  plan: Plan,
  options: RunOptions,
): Promise<Report> {
  const { stepsOf, hostSteps, start } = await planners();
  const steps = hostSteps({ ...session, toolstack });
  options.observer?.planned?.(plan, options.observer ? stepsOf(plan, steps) : []);
  const { domain, name } = plan.input;
  const ending = await start(
    { ...session, ...(options.observer ? { observer: options.observer } : {}) },
    {
      saga: plan.saga,
      steps,
      id: plan.operation,
      subject: domain,
      input: plan.input,
      deadlines: plan.deadlines,
      ...(options.abort ? { abort: options.abort } : {}),
      ...(options.park ? { park: options.park } : {}),
    },
  );
  return reportOf(ending, domain, name, plan.saga.id, await stateNow(toolstack));
}

/** Plan a request without running it. Touches nothing; takes no lock, so that it can be asked any time. */
export async function planRequest(
  session: Session,
  request: Request,
): Promise<{ plan: Plan; steps: readonly PlannedStep[] }> {
  return withToolstack(session, request.domain, async (toolstack, known) => {
    const { catalog } = session;
    const changes = await toRefusal(() => foreignChanges(session, toolstack, known));
    const { domain, snapshots } = withChanges(catalog.snapshots(known.name), known, changes);
    const snapshotsOf = (of: string) => (of === known.name ? snapshots : catalog.snapshots(of));
    const seen = { ...session, catalog: { ...catalog, snapshots: snapshotsOf } };
    const plan = await makePlan(changes.length > 0 ? seen : session, toolstack, domain, request);
    const { stepsOf, hostSteps } = await planners();
    return { plan, steps: stepsOf(plan, hostSteps({ ...session, toolstack })) };
  });
}

/** Open a domain's toolstack for as long as `body` works with it. */
export async function withToolstack<T>(
  session: Session,
  name: string,
  body: (toolstack: Toolstack, domain: Domain) => Promise<T>,
): Promise<T> {
  const domain = knownDomain(session, name);
  const toolstack = await session.openToolstack(domain);
  try {
    return await body(toolstack, domain);
  } finally {
    await toolstack.close();
  }
}

/** What became of an operation, for people and programs. */
export function reportOf(
  ending: Ending,
  domain: string,
  name: string,
  caseId: string,
  domainState: Report['domainState'],
): Report {
  const { operation, outcome, decision } = ending;
  const { failures } = decision.context;
  const { state } = decision;
  return { operation, domain, name, caseId, outcome, failures, state, domainState };
}

/** Asked for a few seconds at most: a domain that hangs must not keep its own bad news back. */
export async function stateNow(toolstack: Toolstack): Promise<Report['domainState']> {
  try {
    return await toolstack.runState(freeContext(AbortSignal.timeout(ASK_MS)));
  } catch {
    return 'unknown';
  }
}

const ASK_MS = 5_000;

async function makePlan(
  session: Session,
  toolstack: Toolstack,
  domain: Domain,
  request: Request,
): Promise<Plan> {
  const { images, catalog, clock, home } = session;
  const sources = { toolstack, images, catalog, home, context: freeContext() };
  const ask = {
    agent: mayFreeze(request),
    everywhere: request.operation === 'delete',
    rewrites: request.operation !== 'create',
  };
  const facts = await toRefusal(() => survey(sources, domain, clock.newId(), clock.now(), ask));
  const { planOf } = await planners();
  return planOf(request, facts);
}

/** What decides and acts is a third of all code: it is loaded when the domain has been asked. */
async function planners() {
  const { planOf, stepsOf } = await import('../plan/plan.ts');
  const { hostSteps } = await import('../steps/index.ts');
  const { start } = await import('../engine/run.ts');
  return { planOf, stepsOf, hostSteps, start };
}

/** Only a disk-only snapshot may freeze its guest: for all else its slow agent is left in peace. */
const mayFreeze = (request: Request): boolean =>
  request.operation === 'create' && request.memory === 'none' && request.quiesce !== 'no';
