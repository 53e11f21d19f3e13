import { sleep } from '../../src/engine/clock.ts';
import type { SimClock } from './clock.ts';

/** How what one waits for comes about. */
export interface Flow {
  settle<T>(work: Promise<T>): Promise<T>;
  /** Let time pass. */
  pass(ms: number): Promise<void>;
}

/** One story alone on a clock: time passes when it waits. */
export const solo = (clock: SimClock): Flow => ({
  settle: work => clock.settle(work),
  pass: async ms => clock.pass(ms),
});

/** One story of several: somebody else has the clock go on when all of them wait. */
export const joint = (clock: SimClock): Flow => ({
  settle: work => work,
  pass: ms => sleep(clock, ms),
});
