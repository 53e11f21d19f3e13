import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { errcodeOf, isDamage, outOfRoom } from './health.ts';
import { DamagedError, JournalFailedError } from './home-error.ts';

const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CANTOPEN = 14;

/** Connections that must not be closed, nor collected: to close the last one would write. */
const leftOpen: DatabaseSync[] = [];

/** A connection that knows when it must not be written through any more. */
export class Connection extends DatabaseSync {
  readonly #path: string;
  /** The first failure after which nothing that this process writes can be relied on. */
  #failure: Error | undefined;

  /** `how`: where the database is not simply the file at `path`, for reading and writing. */
  constructor(path: string, how?: { readonly at: string | URL; readonly readOnly: boolean }) {
    super(how?.at ?? path, { readOnly: how?.readOnly ?? false });
    this.#path = path;
  }

  /** Throws what went wrong before, where something did: a failed write is never tried again. */
  mustWork(): void {
    if (this.#failure) throw this.#failure;
  }

  /** What SQLite's error means for whoever keeps a journal; others' errors stay as they are. */
  judged(error: unknown): unknown {
    const code = errcodeOf(error) & 0xff;
    if (isDamage(error)) {
      this.#failure ??= new DamagedError(this.#path, (error as Error).message, { cause: error });
      return this.#failure;
    }
    const full = outOfRoom(error);
    if (full || code === SQLITE_IOERR || code === SQLITE_READONLY || code === SQLITE_CANTOPEN) {
      this.#failure ??= new JournalFailedError(this.#path, full, error);
      return this.#failure;
    }
    return error;
  }

  /** Something that is stored does not read as it was written: from here on nothing is written. */
  damaged(what: string, cause?: unknown): DamagedError {
    const error = new DamagedError(this.#path, what, { cause });
    this.#failure ??= error;
    return error;
  }

  override prepare(sql: string): StatementSync {
    return guarded(super.prepare(sql), error => {
      throw this.judged(error);
    });
  }

  override close(): void {
    // The last connection to close would move the log into the database.
    if (this.#failure instanceof DamagedError) leftOpen.push(this);
    else super.close();
  }
}

/** A statement whose errors pass by `fail`; a disk that is full is the transaction's to answer. */
function guarded(statement: StatementSync, fail: (error: unknown) => never): StatementSync {
  for (const method of ['get', 'all', 'run'] as const) {
    const plain = statement[method].bind(statement) as (...args: unknown[]) => never;
    statement[method] = (...args: unknown[]): never => {
      try {
        return plain(...args);
      } catch (error) {
        if (outOfRoom(error)) throw error;
        return fail(error);
      }
    };
  }
  return statement;
}
