import { crc32 } from 'node:zlib';
import type { Json } from '../engine/json.ts';
import { chain, GENESIS, verifyChain } from './chain.ts';
import { type MemoryDisk, memoryDisk } from './memory-disk.ts';
import {
  type Journal,
  type JournalRecord,
  type NewRecord,
  type Operation,
  type Projection,
  type Status,
  SubjectBusyError,
} from './port.ts';

/** A journal in memory, for simulation: it survives the death of an engine, not of the process. */
export interface MemoryJournal extends Journal {
  /** What was appended so far survives the death of the host from now on. */
  sync(): void;
  /** The host dies: what no durable append has covered since is gone. */
  loseUnsynced(): void;
}

/** Follows the journal when power is lost, where it can. */
type Restorable = Projection & { save?(): unknown; load?(saved: unknown): void };

/** One transaction. */
interface Written {
  readonly record: NewRecord;
  readonly status: Status;
  readonly changes: readonly Json[];
  /** In an operation's first one. */
  readonly operation?: Operation;
}

interface Checkpoint {
  readonly operations: ReadonlyMap<string, Operation>;
  readonly records: readonly JournalRecord[];
  readonly saved: unknown;
}

/** Make a journal of what is on a disk: by default of an empty one. */
export function memoryJournal(projection: Restorable, disk = memoryDisk()): MemoryJournal {
  const store = new Store(projection, disk);
  return {
    open(operation, record, changes) {
      const holder = [...store.operations.values()].find(
        ({ subject, status }) =>
          subject === operation.subject && (status === 'open' || status === 'needsAttention'),
      );
      if (holder) throw new SubjectBusyError(holder);
      return store.write({ record, status: 'open', changes, operation }, true);
    },
    append(record, { durable, status, changes }) {
      return store.write({ record, status, changes }, durable);
    },
    note(change) {
      change();
      store.checkpoint();
    },
    sync: () => store.checkpoint(),
    operation: id => store.operations.get(id),
    operations: ({ subject, status, limit = 1_000 }) =>
      [...store.operations.values()]
        .filter(o => (!subject || o.subject === subject) && (!status || status.includes(o.status)))
        .reverse()
        .slice(0, limit),
    records: operation => store.records.filter(record => record.operation === operation),
    since: (position, limit) =>
      store.records.filter(record => record.position > position).slice(0, limit),
    verify: () => verifyChain(store.records, store.last()),
    close() {},
    loseUnsynced() {
      disk.crash();
      store.load();
    },
  };
}

class Store {
  readonly #projection: Restorable;
  readonly #disk: MemoryDisk;
  operations = new Map<string, Operation>();
  records: JournalRecord[] = [];
  /** Frames since the last checkpoint. */
  #frames = 0;
  /** A write that failed: none is tried after it. */
  #failure: Error | undefined;

  constructor(projection: Restorable, disk: MemoryDisk) {
    this.#projection = projection;
    this.#disk = disk;
    if (disk.state === undefined) this.checkpoint();
    else this.load();
  }

  write(written: Written, durable: boolean): JournalRecord {
    if (this.#failure) throw this.#failure;
    const { operation, record } = written;
    if (!operation && !this.operations.has(record.operation)) {
      throw new Error(`no operation ${record.operation}`);
    }
    // Through JSON, as a real journal would: what does not survive it must not be relied on.
    const text = JSON.stringify(written);
    try {
      this.#disk.write(this.#frames, { seal: crc32(this.last().hash + text), text });
      if (durable) this.#disk.sync();
    } catch (error) {
      this.#failure = error as Error;
      throw error;
    }
    return this.#take(JSON.parse(text) as Written);
  }

  checkpoint(): void {
    this.#disk.checkpoint({
      operations: new Map(this.operations),
      records: [...this.records],
      saved: this.#projection.save?.(),
    } satisfies Checkpoint);
    this.#frames = 0;
  }

  /** Read what is there, up to the first frame that is torn, or that does not follow. */
  load(): void {
    const { operations, records, saved } = this.#disk.state as Checkpoint;
    this.operations = new Map(operations);
    this.records = [...records];
    this.#projection.load?.(saved);
    this.#frames = 0;
    for (;;) {
      const frame = this.#disk.read(this.#frames);
      if (!frame || frame.seal !== crc32(this.last().hash + frame.text)) return;
      this.#take(JSON.parse(frame.text) as Written);
    }
  }

  last(): { position: number; hash: string } {
    return this.records.at(-1) ?? { position: 0, hash: GENESIS };
  }

  #take({ record, status, changes, operation }: Written): JournalRecord {
    const last = this.last();
    const linked = chain(record, last.position + 1, last.hash);
    const of = operation ?? (this.operations.get(record.operation) as Operation);
    const closed = status === 'committed' || status === 'rolledBack';
    for (const change of changes) this.#projection.apply(change);
    this.records.push(linked);
    this.operations.set(of.id, { ...of, status, closedAt: closed ? record.at : null });
    this.#frames += 1;
    return linked;
  }
}
