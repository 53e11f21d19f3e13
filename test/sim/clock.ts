import type { Clock } from '../../src/engine/clock.ts';

/** 2026-11-01, in milliseconds: where simulated time begins. */
const EPOCH_MS = 1_793_491_200_000;

/** Time that passes only when everybody waits for it. */
export class SimClock implements Clock {
  #ms = 0;
  #ids = 0;
  #timers: { at: number; order: number; callback: () => void }[] = [];
  /** Called with the milliseconds that pass, before the timer that ends them fires. */
  readonly #watchers: ((ms: number) => void)[] = [];

  whenPasses(watcher: (ms: number) => void): void {
    this.#watchers.push(watcher);
  }

  /** A clock that shows the same. Throws where somebody waits for this one. */
  fork(): SimClock {
    if (this.#timers.length > 0) throw new Error('a clock that somebody waits for has no double');
    const other = new SimClock();
    other.#ms = this.#ms;
    other.#ids = this.#ids;
    return other;
  }

  now(): number {
    return EPOCH_MS + this.#ms;
  }

  monotonicMs(): number {
    return this.#ms;
  }

  after(ms: number, callback: () => void): () => void {
    this.#ids += 1;
    const timer = { at: this.#ms + Math.max(0, ms), order: this.#ids, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter(other => other !== timer);
    };
  }

  newId(): string {
    this.#ids += 1;
    return `op${String(this.#ids).padStart(6, '0')}`;
  }

  /** Go to the next timer. False where nobody waits for anything. */
  advance(): boolean {
    let next = this.#timers[0];
    if (!next) return false;
    for (const timer of this.#timers) {
      if (timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer;
    }
    this.#timers = this.#timers.filter(other => other !== next);
    const ms = next.at - this.#ms;
    this.#ms = next.at;
    for (const watch of this.#watchers) watch(ms);
    next.callback();
    return true;
  }

  /** Let time pass in which no timer of a living engine fires: there is none. */
  pass(ms: number): void {
    this.#ms += ms;
    for (const watch of this.#watchers) watch(ms);
  }

  /** Wait for work whose every pause is on this clock. Throws where it waits for nothing. */
  async settle<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const end = () => {
      done = true;
    };
    work.then(end, end);
    for (;;) {
      // All microtasks have run when the next macrotask begins: whoever is not done then, waits.
      await new Promise(resolve => setImmediate(resolve));
      if (done) return await work;
      if (!this.advance()) throw new Error('everybody waits, and nothing will ever happen again');
    }
  }
}
