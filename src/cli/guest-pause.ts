import type { Fact } from '../engine/fact.ts';

/** Steps at whose end the guest stands still, and steps at whose end it runs again. */
const STILL = new Set(['pauseDomain', 'convergeMemory']);
const RUNS = new Set(['unpauseDomain', 'abandonConvergence']);

/** Measures how long a guest that ran before an operation stood still for it. */
export interface GuestPause {
  /** A step's end was recorded, at a time in milliseconds of a clock that only goes forward. */
  ended(step: string, fact: Fact['type'], nowMs: number): void;
  /** null: it never stood still, or has not run again. */
  ms(): number | null;
}

/** Begin to measure. */
export function guestPause(): GuestPause {
  let from: number | undefined;
  let ms: number | null = null;
  return {
    ended(step, fact, nowMs) {
      if (fact !== 'done') return;
      if (STILL.has(step)) from = nowMs;
      else if (RUNS.has(step) && from !== undefined && ms === null) ms = nowMs - from;
    },
    ms: () => ms,
  };
}
