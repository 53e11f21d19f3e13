import type { StatementSync } from 'node:sqlite';
import type { Json } from '../engine/json.ts';
import { chain, hashOf, type Unreadable, verifyChain } from './chain.ts';
import type { Database } from './database.ts';
import {
  type AppendOptions,
  type Journal,
  type JournalRecord,
  type NewRecord,
  type Operation,
  type OperationFilter,
  type Projection,
  RecordBody,
  type Status,
  SubjectBusyError,
} from './port.ts';

type Row = Record<string, string | number | null>;

/** The journal of a home folder. Catalog changes go through `projection`, in the same transaction. */
export function sqliteJournal(database: Database, projection: Projection): Journal {
  const { sqlite, transaction } = database;
  const statement = {
    head: sqlite.prepare('SELECT position, hash FROM head'),
    moveHead: sqlite.prepare('UPDATE head SET position = ?, hash = ?'),
    addRecord: sqlite.prepare('INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)'),
    addOperation: sqlite.prepare('INSERT INTO operation VALUES (?, ?, ?, ?, ?, ?, ?)'),
    setStatus: sqlite.prepare('UPDATE operation SET status = ?, closed_at = ? WHERE id = ?'),
    operation: sqlite.prepare('SELECT * FROM operation WHERE id = ?'),
    holder: sqlite.prepare(
      `SELECT * FROM operation WHERE subject = ? AND status IN ('open', 'needsAttention')`,
    ),
    records: sqlite.prepare('SELECT * FROM record WHERE operation = ? ORDER BY seq'),
    since: sqlite.prepare('SELECT * FROM record WHERE position > ? ORDER BY position LIMIT ?'),
    page: sqlite.prepare('SELECT * FROM record WHERE position > ? ORDER BY position LIMIT 500'),
  };

  const headOf = () => {
    const last = statement.head.get() as { position: number; hash: string } | undefined;
    if (!last) throw database.damaged('it has forgotten its last record');
    return last;
  };

  const add = (record: NewRecord, changes: readonly Json[]): JournalRecord => {
    const last = headOf();
    const linked = chain(record, last.position + 1, last.hash);
    const { fact, from, to, effects, calls } = linked;
    const body = JSON.stringify({ fact, from, to, effects, calls });
    const { position, operation, seq, at, prev, hash } = linked;
    statement.addRecord.run(position, operation, seq, at, body, prev, hash);
    statement.moveHead.run(position, hash);
    for (const change of changes) projection.apply(change);
    return linked;
  };

  const recordsOf = (rows: unknown) => (rows as Row[]).map(row => sound(database, row));

  return {
    open(operation, first, changes) {
      return database.begin(() => {
        const holder = statement.holder.get(operation.subject) as Row | undefined;
        if (holder) throw new SubjectBusyError(operationOf(holder));
        const { id, subject, caseId, caseVersion, status, openedAt, closedAt } = operation;
        statement.addOperation.run(id, subject, caseId, caseVersion, status, openedAt, closedAt);
        return add(first, changes);
      });
    },
    append(record, { durable, status, changes }: AppendOptions) {
      const closed = status === 'committed' || status === 'rolledBack';
      const linked = transaction(durable, () => {
        statement.setStatus.run(status, closed ? record.at : null, record.operation);
        return add(record, changes);
      });
      if (closed) database.tidy();
      return linked;
    },
    note: change => database.begin(change),
    operation(id) {
      const row = statement.operation.get(id) as Row | undefined;
      return row && operationOf(row);
    },
    operations: filter => listOperations(database, filter),
    records: operation => recordsOf(statement.records.all(operation)),
    since: (position, limit) => (statement.since.all(position, limit) as Row[]).map(recordOf),
    verify() {
      return verifyChain(readAll(statement.page), headOf());
    },
    close: () => database.close(),
  };
}

function listOperations(
  { sqlite }: Database,
  { subject, status, limit = 1_000 }: OperationFilter,
): Operation[] {
  const wanted = JSON.stringify(status ?? []);
  const rows = sqlite
    .prepare(
      `SELECT * FROM operation WHERE (?1 IS NULL OR subject = ?1)
       AND (?2 = '[]' OR status IN (SELECT value FROM json_each(?2)))
       ORDER BY opened_at DESC, id DESC LIMIT ?3`,
    )
    .all(subject ?? null, wanted, limit);
  return (rows as Row[]).map(operationOf);
}

function* readAll(page: StatementSync): Generator<JournalRecord | Unreadable> {
  for (let position = -1; ; ) {
    const rows = page.all(position) as Row[];
    for (const row of rows) yield readable(row);
    const last = rows.at(-1);
    if (!last) return;
    position = Number(last.position);
  }
}

/** A record for whoever decides by it: none that is not, to the letter, what was written. */
function sound(database: Database, row: Row): JournalRecord {
  const record = readable(row);
  if ('unreadable' in record) {
    throw database.damaged(`record ${record.position} cannot be read: ${record.unreadable}`);
  }
  if (record.hash !== hashOf(record, record.position, record.prev)) {
    throw database.damaged(`record ${record.position} was changed`);
  }
  return record;
}

function readable(row: Row): JournalRecord | Unreadable {
  try {
    return recordOf(row);
  } catch (error) {
    const [why = ''] = String(error instanceof Error ? error.message : error).split('\n');
    return { position: Number(row.position), unreadable: why };
  }
}

function operationOf(row: Row): Operation {
  return {
    id: String(row.id),
    subject: String(row.subject),
    caseId: String(row.case_id),
    caseVersion: Number(row.case_version),
    status: row.status as Status,
    openedAt: Number(row.opened_at),
    closedAt: row.closed_at === null ? null : Number(row.closed_at),
  };
}

function recordOf(row: Row): JournalRecord {
  const body = RecordBody.parse(JSON.parse(String(row.body)));
  return {
    position: Number(row.position),
    operation: String(row.operation),
    seq: Number(row.seq),
    at: Number(row.at),
    ...body,
    prev: String(row.prev),
    hash: String(row.hash),
  };
}
