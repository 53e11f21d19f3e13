import { z } from 'zod';
import { Fact } from '../engine/fact.ts';
import type { Json } from '../engine/json.ts';
import type { ToolCallRecord } from '../engine/step.ts';

/** Where an operation stands. `open` and `needsAttention` hold their subject; the others let it go. */
export const STATUSES = ['open', 'needsAttention', 'committed', 'rolledBack'] as const;
export type Status = (typeof STATUSES)[number];

/** One run of a case. */
export interface Operation {
  readonly id: string;
  /** What the operation works on, for domsnap a domain: one open operation each. */
  readonly subject: string;
  readonly caseId: string;
  readonly caseVersion: number;
  readonly status: Status;
  readonly openedAt: number;
  readonly closedAt: number | null;
}

/** An effect that a record names, before it begins. */
export interface PendingEffect {
  readonly key: string;
  readonly id: string;
  readonly step: string;
}

/** One transition of one operation, chained to the record before it in the whole journal. */
export interface JournalRecord {
  readonly position: number;
  readonly operation: string;
  readonly seq: number;
  readonly at: number;
  readonly fact: Fact;
  readonly from: string;
  readonly to: string;
  readonly effects: readonly PendingEffect[];
  readonly calls: readonly ToolCallRecord[];
  readonly prev: string;
  readonly hash: string;
}

/** What a writer says of a record; the journal adds its place in the chain. */
export type NewRecord = Omit<JournalRecord, 'position' | 'prev' | 'hash'>;

/** How a record is written. */
export interface AppendOptions {
  /** Wait for the disk. Records inside the window do not: they outlive the process, not the host. */
  readonly durable: boolean;
  /** The operation's status from this record on. */
  readonly status: Status;
  /** What the transition changes in the catalog, in the same transaction. */
  readonly changes: readonly Json[];
}

/** What `verify` found. */
export interface Verification {
  readonly records: number;
  /** Empty for a journal that nobody has touched. */
  readonly faults: readonly { readonly position: number; readonly what: string }[];
}

/** Which operations to list, newest first. */
export interface OperationFilter {
  readonly subject?: string;
  readonly status?: readonly Status[];
  readonly limit?: number;
}

/**
 * The durable memory of operations. All calls are synchronous: when they return, what they promise
 * holds. A failed write is never tried again by the journal: it throws, and the process must end.
 */
export interface Journal {
  /** Throws `SubjectBusyError` where the subject has an open operation. Durable. */
  open(operation: Operation, first: NewRecord, changes: readonly Json[]): JournalRecord;
  append(record: NewRecord, options: AppendOptions): JournalRecord;
  /** A change of the catalog that belongs to no operation, durable. */
  note(change: () => void): void;
  operation(id: string): Operation | undefined;
  operations(filter: OperationFilter): readonly Operation[];
  records(operation: string): readonly JournalRecord[];
  /** Records behind a position, oldest first, for `log --follow`. */
  since(position: number, limit: number): readonly JournalRecord[];
  verify(): Verification;
  close(): void;
}

/** Applies a catalog change inside the journal's transaction. */
export interface Projection {
  apply(change: Json): void;
}

/** The subject has an operation that has not come to its end. */
export class SubjectBusyError extends Error {
  override readonly name = 'SubjectBusyError';
  readonly operation: Operation;

  constructor(operation: Operation) {
    super(`${operation.subject} has the operation ${operation.id} (${operation.status})`);
    this.operation = operation;
  }
}

/** The parsed body of a stored record. */
export const RecordBody = z.lazy(() =>
  z.object({
    fact: Fact,
    from: z.string(),
    to: z.string(),
    effects: z.array(z.object({ key: z.string(), id: z.string(), step: z.string() })),
    calls: z.array(
      z.object({
        tool: z.string(),
        command: z.json(),
        durationMs: z.number(),
        exit: z.union([z.string(), z.number()]),
        answerDigest: z.string(),
      }),
    ),
  }),
);
