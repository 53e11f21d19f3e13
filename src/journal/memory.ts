import type { Json } from '../engine/json.ts';
import { chain, GENESIS, verifyChain } from './chain.ts';
import {
  type Journal,
  type JournalRecord,
  type NewRecord,
  type Operation,
  type Projection,
  SubjectBusyError,
} from './port.ts';

/** A journal in memory, for simulation: it survives the death of an engine, not of the process. */
export interface MemoryJournal extends Journal {
  /** What was appended so far survives the death of the host from now on. */
  sync(): void;
  /** The host dies: what no durable append has covered since is gone. */
  loseUnsynced(): void;
}

interface Store {
  operations: Map<string, Operation>;
  records: JournalRecord[];
}

/** Make an empty journal. `snapshot` and `restore` of the projection follow a loss of power. */
export function memoryJournal(
  projection: Projection & { save?(): unknown; load?(saved: unknown): void },
): MemoryJournal {
  let store: Store = { operations: new Map(), records: [] };
  let synced = { ...copy(store), saved: projection.save?.() };

  const add = (record: NewRecord, changes: readonly Json[]): JournalRecord => {
    const last = store.records.at(-1);
    // Through JSON, as a real journal would: what does not survive it must not be relied on.
    const plain = JSON.parse(JSON.stringify(record)) as NewRecord;
    const linked = chain(plain, (last?.position ?? 0) + 1, last?.hash ?? GENESIS);
    for (const change of changes) projection.apply(change);
    store.records.push(linked);
    return linked;
  };
  const sync = () => {
    synced = { ...copy(store), saved: projection.save?.() };
  };

  return {
    open(operation, first, changes) {
      const holder = [...store.operations.values()].find(
        ({ subject, status }) =>
          subject === operation.subject && (status === 'open' || status === 'needsAttention'),
      );
      if (holder) throw new SubjectBusyError(holder);
      store.operations.set(operation.id, operation);
      const record = add(first, changes);
      sync();
      return record;
    },
    append(record, { durable, status, changes }) {
      const operation = store.operations.get(record.operation);
      if (!operation) throw new Error(`no operation ${record.operation}`);
      const closed = status === 'committed' || status === 'rolledBack';
      const closedAt = closed ? record.at : null;
      const linked = add(record, changes);
      store.operations.set(operation.id, { ...operation, status, closedAt });
      if (durable) sync();
      return linked;
    },
    note(change) {
      change();
      sync();
    },
    sync,
    operation: id => store.operations.get(id),
    operations: ({ subject, status, limit = 1_000 }) =>
      [...store.operations.values()]
        .filter(o => (!subject || o.subject === subject) && (!status || status.includes(o.status)))
        .reverse()
        .slice(0, limit),
    records: operation => store.records.filter(record => record.operation === operation),
    since: (position, limit) =>
      store.records.filter(record => record.position > position).slice(0, limit),
    verify() {
      const last = store.records.at(-1);
      return verifyChain(store.records, {
        position: last?.position ?? 0,
        hash: last?.hash ?? GENESIS,
      });
    },
    close() {},
    loseUnsynced() {
      store = copy(synced);
      projection.load?.(synced.saved);
    },
  };
}

const copy = ({ operations, records }: Store): Store => ({
  operations: new Map(operations),
  records: [...records],
});
