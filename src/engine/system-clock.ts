import { randomBytes } from 'node:crypto';
import type { Clock } from './clock.ts';

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(ms, callback) {
    // Node takes a delay above 2^31 ms for 1 ms; no deadline of ours is longer than 24 days.
    const timer = setTimeout(callback, Math.min(ms, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
  newId: () => `${Date.now().toString(36).padStart(9, '0')}${randomBytes(4).toString('hex')}`,
};
