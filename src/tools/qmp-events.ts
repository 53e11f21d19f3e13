import { z } from 'zod';
import { armDeadline, type Limits } from './deadline.ts';
import { ToolError } from './tool-error.ts';

/** One event of QEMU. `seconds` is -1 when the host's clock could not be read. */
export const qmpEvent = z.object({
  event: z.string().min(1).max(128),
  data: z.record(z.string(), z.unknown()).default({}),
  timestamp: z.object({ seconds: z.number().int(), microseconds: z.number().int() }),
});
export type QmpEvent = z.infer<typeof qmpEvent>;

/** A point in the stream of events: those behind it are still to come for whoever holds it. */
export type EventCursor = number;

const keptEvents = 1000;

type Waiter = {
  readonly matches: (event: QmpEvent) => boolean;
  readonly resolve: (event: QmpEvent) => void;
  readonly reject: (error: ToolError) => void;
};

/** The last 1000 events of one connection, and those who wait for the next. */
export class QmpEvents {
  readonly #kept: QmpEvent[] = [];
  readonly #waiters = new Set<Waiter>();
  #count = 0;
  #closed: ToolError | undefined;

  /** The cursor behind the newest event. */
  mark(): EventCursor {
    return this.#count;
  }

  /** Takes a new event and wakes whom it concerns. */
  add(event: QmpEvent): void {
    this.#count += 1;
    this.#kept.push(event);
    if (this.#kept.length > keptEvents) this.#kept.shift();
    for (const waiter of [...this.#waiters]) {
      if (!waiter.matches(event)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(event);
    }
  }

  /** Ends all waiting with the error that ended the connection. */
  close(error: ToolError): void {
    this.#closed ??= error;
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters.clear();
  }

  /** See `Qmp.waitFor`. */
  waitFor(
    matches: (event: QmpEvent) => boolean,
    limits: Limits & { readonly since?: EventCursor | undefined },
  ): Promise<QmpEvent> {
    const since = limits.since ?? this.#count;
    const firstKept = this.#count - this.#kept.length;
    const found = this.#kept.slice(Math.max(0, since - firstKept)).find(matches);
    if (found) return Promise.resolve(found);
    if (since < firstKept) {
      const lost = firstKept - since;
      const message = `${lost} events were dropped since the mark; ask QEMU for its state instead`;
      return Promise.reject(new ToolError('qmp', 'too-large', message, { lost }));
    }
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        matches,
        resolve: event => {
          disarm();
          resolve(event);
        },
        reject: error => {
          disarm();
          reject(error);
        },
      };
      const disarm = armDeadline(limits, why => {
        this.#waiters.delete(waiter);
        reject(new ToolError('qmp', why, `no such event came (${why})`));
      });
      this.#waiters.add(waiter);
    });
  }
}
