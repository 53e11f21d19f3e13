import { write, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { unblocked } from './unblocked.ts';

/** Writes text in its order, and never makes the caller wait. */
export interface PatientWriter {
  write(text: string): void;
  /** What no reader has taken yet. */
  waitingBytes(): number;
  /**
   * All that was written has gone out, or nobody reads any more. With a limit: or for so long nothing of
   * it was read; then it is dropped, and the answer is false.
   */
  drained(stillMs?: number): Promise<boolean>;
  /** Why something was lost; undefined where all went out, or its reader went away. */
  failure(): Error | undefined;
}

const writers = new Map<number, PatientWriter>();

/**
 * The writer to a file descriptor. A plain write to a pipe or terminal that nobody reads (`| less`,
 * Ctrl-S) would stop the whole process, perhaps while a guest stands still. What can be written at once
 * is, so that a process that dies has said what it had to say. There is one for each descriptor: all who
 * write there keep their order.
 */
export function patientWriter(fd: number): PatientWriter {
  const known = writers.get(fd);
  if (known) return known;
  const made = new Queue(fd);
  writers.set(fd, made);
  return made;
}

/** Why something written to a descriptor by its writer was lost. */
export const lossOn = (fd: number): Error | undefined => writers.get(fd)?.failure();

/** A reader that has gone away is nobody's failure; a terminal that was closed answers EIO. */
export function readerWentAway({ code }: NodeJS.ErrnoException, fd: number): boolean {
  return code === 'EPIPE' || code === 'ECONNRESET' || (code === 'EIO' && isatty(fd));
}

const FULL_RETRY_MS = 20;
const LOOK_MS = 1_000;

class Queue implements PatientWriter {
  readonly #fd: number;
  /** Where a write never waits. */
  readonly #own: number | undefined;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** A write, or the next attempt at one, is under way. */
  #busy = false;
  #over = false;
  #failure: Error | undefined;
  #movedMs = 0;
  readonly #onRest = new Set<() => void>();

  constructor(fd: number) {
    this.#fd = fd;
    this.#own = unblocked(fd);
    process.once('exit', () => this.#push());
  }

  write(text: string): void {
    if (this.#over) return;
    const part = Buffer.from(text);
    if (this.#bytes === 0) this.#movedMs = performance.now();
    this.#parts.push(part);
    this.#bytes += part.length;
    if (!this.#busy) this.#next();
  }

  waitingBytes = (): number => this.#bytes;

  failure = (): Error | undefined => this.#failure;

  async drained(stillMs = Infinity): Promise<boolean> {
    while (this.#bytes > 0) {
      const leftMs = this.#movedMs + stillMs - performance.now();
      if (leftMs <= 0) {
        this.#end();
        return false;
      }
      await this.#rest(Math.min(leftMs, LOOK_MS));
    }
    return true;
  }

  #next(): void {
    this.#push();
    this.#busy = this.#bytes > 0;
    if (!this.#busy) for (const resolve of this.#onRest) resolve();
    else if (this.#own === undefined) this.#byPool();
    else setTimeout(() => this.#next(), FULL_RETRY_MS);
  }

  /** Write what can be written without waiting. */
  #push(): void {
    if (this.#own === undefined) return;
    while (this.#bytes > 0) {
      const part = this.#take();
      try {
        this.#took(part, writeSync(this.#own, part));
      } catch (error) {
        this.#took(part, 0);
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') this.#fail(error as Error);
        return;
      }
    }
  }

  /** Where a write may wait, one of Node's threads waits. */
  #byPool(): void {
    const part = this.#take();
    write(this.#fd, part, (error, count) => {
      this.#took(part, error ? 0 : count);
      if (error?.code === 'EAGAIN') setTimeout(() => this.#next(), FULL_RETRY_MS);
      else {
        if (error) this.#fail(error);
        this.#next();
      }
    });
  }

  #take(): Buffer {
    const [first = Buffer.alloc(0), ...more] = this.#parts;
    this.#parts = [];
    return more.length === 0 ? first : Buffer.concat([first, ...more]);
  }

  #took(part: Buffer, count: number): void {
    if (this.#over) return;
    if (count > 0) this.#movedMs = performance.now();
    this.#bytes -= count;
    if (count < part.length) this.#parts.unshift(part.subarray(count));
  }

  #fail(error: NodeJS.ErrnoException): void {
    if (!readerWentAway(error, this.#fd)) this.#failure = error;
    this.#end();
  }

  #end(): void {
    this.#over = true;
    this.#parts = [];
    this.#bytes = 0;
  }

  #rest(limitMs: number): Promise<void> {
    return new Promise(resolve => {
      const done = (): void => {
        clearTimeout(timer);
        this.#onRest.delete(done);
        resolve();
      };
      const timer = setTimeout(done, limitMs);
      this.#onRest.add(done);
    });
  }
}
