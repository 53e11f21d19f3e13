import { write } from 'node:fs';

/** Writes text in its order, and never makes the caller wait. */
export interface PatientWriter {
  write(text: string): void;
  /** All that was written has gone out, or nobody reads any more. */
  drained(): Promise<void>;
}

const FULL_RETRY_MS = 20;

/**
 * A writer to a file descriptor by Node's thread pool. A plain write to a pipe or terminal that nobody
 * reads (`| less`, Ctrl-S) would stop the whole process, perhaps while a guest stands still.
 * A reader that has gone away is nobody's failure: the rest is dropped.
 */
export function patientWriter(fd: number): PatientWriter {
  let queue = Buffer.alloc(0);
  let busy = false;
  let gone = false;
  let waiting: (() => void)[] = [];
  const settle = () => {
    for (const resolve of waiting) resolve();
    waiting = [];
  };
  const next = (): void => {
    if (gone || queue.length === 0) {
      settle();
      return;
    }
    busy = true;
    const part = queue;
    write(fd, part, (error, count) => {
      busy = false;
      if (error?.code === 'EAGAIN') {
        busy = true;
        setTimeout(() => {
          busy = false;
          next();
        }, FULL_RETRY_MS);
        return;
      }
      if (error) gone = true;
      else queue = queue.subarray(count);
      next();
    });
  };
  return {
    write(text) {
      if (gone) return;
      queue = Buffer.concat([queue, Buffer.from(text)]);
      if (!busy) next();
    },
    drained: () =>
      new Promise(resolve => {
        waiting.push(resolve);
        if (!busy) next();
      }),
  };
}
