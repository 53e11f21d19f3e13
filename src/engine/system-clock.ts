import { randomBytes } from 'node:crypto';
import type { Clock } from './clock.ts';

/** The form of an operation's id, as part of a regular expression: it tells our files and jobs from others'. */
export const OPERATION_ID = '[0-9a-z]{9}[0-9a-f]{8}';

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(ms, callback) {
    // Node takes a delay above 2^31 ms for 1 ms; no deadline of ours is longer than 24 days.
    const timer = setTimeout(callback, Math.min(ms, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
  // In the form of OPERATION_ID.
  newId: () => `${Date.now().toString(36).padStart(9, '0')}${randomBytes(4).toString('hex')}`,
};
