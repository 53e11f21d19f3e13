import { createHash } from 'node:crypto';
import { canonical } from '../engine/json.ts';
import type { JournalRecord, NewRecord } from './port.ts';

/** The hash that stands before the first record. */
export const GENESIS = '0'.repeat(64);

/** Put a record behind the one before it. */
export function chain(record: NewRecord, position: number, prev: string): JournalRecord {
  return { ...record, position, prev, hash: hashOf(record, position, prev) };
}

/** SHA-256 over everything that a record says, its place, and the hash before it. */
export function hashOf(record: NewRecord, position: number, prev: string): string {
  const { operation, seq, at, fact, from, to, effects, calls } = record;
  const text = canonical([position, prev, operation, seq, at, fact, from, to, effects, calls]);
  return createHash('sha256').update(text).digest('hex');
}

/** A record whose text is no record any more. */
export interface Unreadable {
  readonly position: number;
  readonly unreadable: string;
}

/**
 * Walk over all records and name each that was changed, removed, added or moved.
 * `head` is the place and hash that the journal itself remembers as its last: without it, records cut
 * off at the end would not be missed.
 */
export function verifyChain(
  records: Iterable<JournalRecord | Unreadable>,
  head: { position: number; hash: string },
): { records: number; faults: { position: number; what: string }[] } {
  const faults: { position: number; what: string }[] = [];
  const lastSeq = new Map<string, number>();
  let position = 0;
  let prev: string | undefined = GENESIS;
  let count = 0;
  for (const record of records) {
    count += 1;
    const say = (what: string) => faults.push({ position: record.position, what });
    if (record.position !== position + 1) say(`gap: follows record ${position}`);
    position = record.position;
    if ('unreadable' in record) {
      say(`cannot be read: ${record.unreadable}`);
      prev = undefined;
      continue;
    }
    if (prev !== undefined && record.prev !== prev) say('does not follow the record before it');
    if (record.hash !== hashOf(record, record.position, record.prev)) say('was changed');
    const seq = lastSeq.get(record.operation) ?? -1;
    if (record.seq !== seq + 1) say(`operation ${record.operation}: ${record.seq} follows ${seq}`);
    lastSeq.set(record.operation, record.seq);
    prev = record.hash;
  }
  if (head.position !== position || (prev !== undefined && head.hash !== prev)) {
    faults.push({
      position: position + 1,
      what: `cut off: the journal went up to ${head.position}`,
    });
  }
  return { records: count, faults };
}
