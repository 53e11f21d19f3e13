import { Chance } from '../seeded-random.ts';
import type { CutCase } from './cases.ts';

/** One power cut to be: all of it follows from its seed and the list of cases. */
export interface Cut {
  readonly seed: number;
  readonly cutCase: CutCase;
  /** How far into the operation, by the lines of progress that it writes: 1 is about its end. */
  readonly share: number;
  /** From that line to the cut. */
  readonly delayMs: number;
  /** How often the lab host's file system writes what nobody asked it to sync, in seconds. */
  readonly commitS: number;
}

/** Each seed has the next case, so that a row of them goes through all; the moment is by chance. */
export function cutOf(seed: number, cases: readonly CutCase[]): Cut {
  const chance = new Chance(seed);
  // Far from one another, so that a short row meets creates, reverts and deletes.
  const stride = [17, 13, 7, 1].find(step => cases.length % step !== 0) ?? 1;
  const cutCase = cases[(Math.abs(seed) * stride) % cases.length]!;
  const share = chance.next() * 1.1;
  const delayMs = chance.next() < 0.3 ? 0 : chance.below(250);
  return { seed, cutCase, share, delayMs, commitS: chance.of([1, 5, 60]) };
}
