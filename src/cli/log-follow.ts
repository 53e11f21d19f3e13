import { setTimeout as sleep } from 'node:timers/promises';
import type { Journal, Operation } from '../journal/port.ts';
import { EXIT, type Exit } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import { recordText } from './log-record.ts';
import { json, out, stylist } from './output.ts';

const POLL_MS = 300;
const PAGE = 500;

/**
 * Show records as they are written, until a signal comes; of an operation that is named all of them,
 * until it comes to its end.
 */
export async function follow(
  call: Invocation,
  journal: Journal,
  { domain, operation }: { domain: string | undefined; operation: Operation | undefined },
): Promise<Exit> {
  const style = stylist(process.stdout);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => stop.abort());
  }
  process.stdout.once('error', () => stop.abort());
  const subjects = new Map<string, string | undefined>();
  const subjectOf = (id: string): string | undefined => {
    if (!subjects.has(id)) subjects.set(id, journal.operation(id)?.subject);
    return subjects.get(id);
  };
  let position = operation
    ? (journal.records(operation.id)[0]?.position ?? 1) - 1
    : lastPosition(journal);
  while (!stop.signal.aborted) {
    // Asked before the records: what comes to its end while they are read is shown in the next round.
    const ended = operation !== undefined && isOver(journal, operation.id);
    const page = journal.since(position, PAGE);
    for (const record of page) {
      position = record.position;
      if (operation && record.operation !== operation.id) continue;
      if (domain !== undefined && subjectOf(record.operation) !== domain) continue;
      if (call.json) json({ event: 'record', domain: subjectOf(record.operation), record });
      else out(`${style('dim', subjectOf(record.operation) ?? '')} ${recordText(record, style)}`);
    }
    if (page.length === PAGE) continue;
    if (ended) break;
    await sleep(POLL_MS, undefined, { signal: stop.signal }).catch(() => {});
  }
  return EXIT.done;
}

function isOver(journal: Journal, id: string): boolean {
  const status = journal.operation(id)?.status;
  return status === 'committed' || status === 'rolledBack';
}

/** The place of the newest record. Places have no gaps: doubling, then halving, finds it. */
export function lastPosition(journal: Pick<Journal, 'since'>): number {
  const isThere = (position: number) => journal.since(position - 1, 1).length > 0;
  let above = 1;
  while (isThere(above)) above *= 2;
  let last = Math.floor(above / 2);
  while (last + 1 < above) {
    const middle = Math.floor((last + above) / 2);
    if (isThere(middle)) last = middle;
    else above = middle;
  }
  return last;
}
