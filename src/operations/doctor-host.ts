import { explained, type Finding, repairable } from '../doctor/finding.ts';
import { typed } from '../plan/typed.ts';
import { TRASH_SUBJECT } from './host-subject.ts';
import { recover } from './recover.ts';
import type { Report, RunOptions } from './run-request.ts';
import type { Session } from './session.ts';

/** A repair that was run. */
export interface Repaired {
  readonly finding: Finding;
  readonly report: Report;
}

/** Operations that belong to no domain of the catalog: the trash, and domains that were forgotten. */
function lostOperations({ journal, catalog }: Session) {
  return journal
    .operations({ status: ['open', 'needsAttention'] })
    .filter(({ subject }) => !catalog.domain(subject));
}

/** Bring the host's own operations to their end. Those of forgotten domains nobody can. */
export async function recoverLost(session: Session, options: RunOptions): Promise<Repaired[]> {
  const repaired: Repaired[] = [];
  for (const { id, subject, caseId } of lostOperations(session)) {
    if (subject !== TRASH_SUBJECT) continue;
    const finding = openFinding(id, subject, caseId);
    for (const report of await recover(session, id, options)) repaired.push({ finding, report });
  }
  return repaired;
}

function openFinding(id: string, subject: string, caseId: string): Finding {
  const what = `${subject} has the operation ${id} (${caseId}), which has not come to its end`;
  if (subject === TRASH_SUBJECT) {
    const meaning = 'Whoever began it is gone; files that were to go may still be in the trash.';
    return repairable(
      { code: 'open-operation', domain: null, what, meaning },
      { kind: 'recover', operation: id },
      { proven: true },
    );
  }
  return explained({
    code: 'open-operation',
    domain: null,
    what,
    meaning: 'The domain is not in the catalog, so that nobody can bring it to its end.',
    hint: `'domsnap domain add FILE' takes ${subject} in again; then ${typed('recover', id)}`,
  });
}

/** What is wrong with the journal, and with operations that belong to no domain of the catalog. */
export function hostFindings(session: Session): Finding[] {
  const { faults, records } = session.journal.verify();
  const [first] = faults;
  const changed = first
    ? [
        explained({
          code: 'changed-journal',
          domain: null,
          what: `${faults.length} of ${records} records of the journal are not as they were written; the first is ${first.position}: ${first.what}`,
          meaning: 'Somebody has changed the audit, or the database is damaged.',
          hint: `'domsnap log verify' lists them all`,
        }),
      ]
    : [];
  const lost = lostOperations(session).map(({ id, subject, caseId }) =>
    openFinding(id, subject, caseId),
  );
  return [...changed, ...lost];
}
