import type { Fact } from '../engine/fact.ts';
import type { Operation } from '../journal/port.ts';
import { processAlive } from '../tools/process.ts';
import type { Session } from './session.ts';

/** The operation that is open on a domain, or waits for a person there; there is one at most. */
export const openOn = (
  { journal }: Pick<Session, 'journal'>,
  subject: string,
): Operation | undefined =>
  journal.operations({ subject, status: ['open', 'needsAttention'], limit: 1 })[0];

/** Is it open, and the process gone that worked on it last? Then nobody but a recovery goes on with it. */
export function leftOpen({ journal }: Pick<Session, 'journal'>, id: string): boolean {
  const status = journal.operation(id)?.status;
  if (status === 'needsAttention') return true;
  if (status !== 'open') return false;
  const last = journal
    .records(id)
    .flatMap(({ fact }) => (fact.type === 'started' || fact.type === 'recover' ? fact.who : []))
    .at(-1);
  return last !== undefined && !processAlive(last.pid);
}

/** How an operation began, by its first record; undefined where the journal does not have it. */
export function startOf(
  { journal }: Pick<Session, 'journal'>,
  id: string,
): (Fact & { type: 'started' }) | undefined {
  const fact = journal.records(id)[0]?.fact;
  return fact?.type === 'started' ? fact : undefined;
}
