import type { Operation } from '../journal/port.ts';
import { RefusedError, refuse } from '../plan/refusal.ts';
import { typed } from '../plan/typed.ts';
import { openOn, startOf } from './begun.ts';
import { withSubject } from './host-subject.ts';
import { type Report, type RunOptions, reportOf, stateNow } from './run-request.ts';
import { BusyError, lockDomain, type Session } from './session.ts';

/**
 * Bring one open operation, or all of this host, to an outcome. Those that a living process works on
 * are left alone. Doing it again changes nothing.
 */
export async function recover(
  session: Session,
  id: string | undefined,
  options: RunOptions = {},
): Promise<readonly Report[]> {
  const reports: Report[] = [];
  let foreign: unknown;
  for (const operation of openOperations(session, id)) {
    let lock: Awaited<ReturnType<typeof lockDomain>>;
    try {
      lock = await lockDomain(session, operation.subject, options);
    } catch (error) {
      // Somebody is at work on it: that is no recovery's business, unless it was named.
      if (error instanceof BusyError && id === undefined) continue;
      throw error;
    }
    try {
      // It may have come to its end while the lock was waited for.
      const now = session.journal.operation(operation.id);
      if (now && (now.status === 'open' || now.status === 'needsAttention')) {
        reports.push(await recoverOperation(session, now, options));
      }
    } catch (error) {
      // One that another domsnap began must not keep the others from their end.
      if (!(error instanceof Error) || error.name !== 'UnknownMachineError') throw error;
      foreign ??= error;
    } finally {
      lock.release();
    }
  }
  if (foreign) throw foreign;
  return reports;
}

/** Bring what a dead process left open on a domain to its end. The caller holds the domain's lock. */
export async function recoverDomain(
  session: Session,
  domain: string,
  options: RunOptions,
): Promise<void> {
  const left = openOn(session, domain);
  if (!left) return;
  const report = await recoverOperation(session, left, options, false);
  if (report.outcome === 'needsAttention' || report.outcome === 'parked') {
    throw new UnrecoveredError(report);
  }
}

/** An earlier operation on the domain still needs a person. Exit code 5. */
export class UnrecoveredError extends RefusedError {
  readonly report: Report;

  constructor(report: Report) {
    super([
      {
        code: 'needs-attention',
        message: `${report.domain} has the operation ${report.operation}, which needs attention`,
        hint: `${typed('recover', report.operation)} tries again and says what is wrong`,
      },
    ]);
    this.report = report;
  }
}

/**
 * Bring one open operation to an outcome. The caller holds the lock of what it works on. `told`: somebody reads
 * how the domain stands then; one that does not answer takes some seconds to say nothing.
 */
export async function recoverOperation(
  session: Session,
  operation: Operation,
  options: RunOptions,
  told = true,
): Promise<Report> {
  // Loaded only where there is something to recover.
  const { machineOf } = await import('../../machines/index.ts');
  const { resume } = await import('../engine/run.ts');
  const { hostSteps } = await import('../steps/index.ts');
  const { CaseInput } = await import('../steps/input.ts');
  const saga = machineOf(operation.caseId, operation.caseVersion);
  const begun = startOf(session, operation.id);
  if (!begun) throw new Error(`${operation.id} has no first record`);
  const { name } = CaseInput.parse(begun.input);
  return withSubject(session, operation.subject, async (toolstack, domain) => {
    const ending = await resume(
      { ...session, ...(options.observer ? { observer: options.observer } : {}) },
      {
        saga,
        steps: hostSteps({ ...session, toolstack }),
        ...(options.abort ? { abort: options.abort } : {}),
        ...(options.park ? { park: options.park } : {}),
      },
      operation.id,
    );
    const state = told ? await stateNow(toolstack) : 'unknown';
    return reportOf(ending, domain.name, name, saga.id, state);
  });
}

function openOperations({ journal }: Session, id: string | undefined): readonly Operation[] {
  const open = journal.operations({ status: ['open', 'needsAttention'] });
  if (id === undefined) return [...open].reverse();
  const operation = journal.operation(id);
  if (!operation) {
    throw refuse('unknown-operation', `there is no operation ${id}`, `'domsnap log' lists them`);
  }
  return open.filter(other => other.id === operation.id);
}
