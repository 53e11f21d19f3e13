import { generatedName } from '../plan/names.ts';
import { RefusedError } from '../plan/refusal.ts';
import type { RevertRequest } from '../plan/request.ts';
import { openOn } from './begun.ts';
import { recoverDomain } from './recover.ts';
import { planRequest, type Report, type RunOptions, runUnderLock } from './run-request.ts';
import { lockDomain, type Session } from './session.ts';

/**
 * A revert with a checkpoint of the running guest before it, so that an undo brings its memory back,
 * too. Of a domain that is off the abandoned heads are all there is to keep, as after any revert. A
 * checkpoint whose revert was not done goes again. Throws RefusedError before anything is touched.
 */
export async function revertSafely(
  session: Session,
  request: RevertRequest,
  options: RunOptions = {},
): Promise<Report> {
  const { domain, name } = request;
  const lock = await lockDomain(session, domain, options);
  try {
    await recoverDomain(session, domain, options);
    // A revert that is refused must not leave a checkpoint.
    const { plan } = await planRequest(session, request);
    if (plan.refusals.length > 0) throw new RefusedError(plan.refusals);
    if (plan.input.runBefore === 'off') return await runUnderLock(session, request, options);
    const taken = new Set(session.catalog.snapshots(domain).map(other => other.name));
    const made = await runUnderLock(
      session,
      {
        operation: 'create',
        domain,
        name: generatedName('safety', session.clock.now(), taken),
        description: `before the revert to ${name}`,
      },
      options,
    );
    if (made.outcome !== 'committed') return made;
    return await revertWith(session, request, made, options);
  } finally {
    lock.release();
  }
}

async function revertWith(
  session: Session,
  request: RevertRequest,
  made: Report,
  options: RunOptions,
): Promise<Report> {
  const safety = { name: made.name, operation: made.operation };
  let report: Report | undefined;
  try {
    report = await runUnderLock(session, { ...request, safety }, options);
    return report;
  } finally {
    const takenBack = report === undefined || report.outcome === 'rolledBack';
    const { domain } = request;
    if (takenBack && !openOn(session, domain)) {
      const { abort: _, ...unhurried } = options;
      const request = { operation: 'delete' as const, domain, name: made.name };
      await runUnderLock(session, request, unhurried).catch(error => {
        // It stays in the tree; what became of the revert is the news.
        if (!(error instanceof RefusedError)) throw error;
      });
    }
  }
}
