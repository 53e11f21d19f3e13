/** Time and chance enter the engine here and nowhere else, so that a simulator can own both. */
export interface Clock {
  /** Milliseconds since 1970, for the audit. May jump; nothing is decided by it. */
  now(): number;
  /** Milliseconds on a clock that only goes forward, for deadlines and durations. */
  monotonicMs(): number;
  /** Calls back after `ms`; the answer takes it back. */
  after(ms: number, callback: () => void): () => void;
  /** A new name that no other operation has: sortable by time, safe in file and job names. */
  newId(): string;
}

/** Wait on a clock. Ends early, without an error, when the signal fires. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve();
    const cancel = clock.after(ms, finish);
    function finish() {
      cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    }
    signal?.addEventListener('abort', finish);
  });
}
