import { type Spread, spreadOf } from './statistics.ts';

/** What a number is a number of. */
export type Unit = 'ms' | 'MiB' | 'bytes' | 'count';

/** Measurements of one thing, in the order in which they were made. */
export interface Series {
  readonly values: readonly number[];
  readonly spread: Spread;
}

/** A limit that the project has set itself, and whether the medians keep it. */
export interface Verdict {
  readonly limit: string;
  readonly holds: boolean;
}

/** One line of the table: what domsnap takes, and what it is held against. */
export interface Finding {
  readonly part: string;
  /** The memory of the guest; null where there is none. */
  readonly memoryMb: number | null;
  readonly what: string;
  readonly unit: Unit;
  readonly domsnap: Series | null;
  /** What domsnap is held against: `floor` is the same commands by a bare client. */
  readonly against: string;
  readonly other: Series | null;
  readonly verdicts: readonly Verdict[];
  /** Why a number is missing, or what must be known to read it. */
  readonly note?: string | undefined;
}

/** Measurements with their spread; null for none. */
export const series = (values: readonly number[]): Series | null =>
  values.length === 0 ? null : { values, spread: spreadOf(values) };

/** How many times the other's median domsnap's is; null where one is missing, or zero. */
export function ratioOf({ domsnap, other }: Finding): number | null {
  if (!domsnap || !other || other.spread.median === 0) return null;
  return domsnap.spread.median / other.spread.median;
}

/** domsnap's median at most `times` the other's. */
export function atMostTimes(
  domsnap: Series | null,
  other: Series | null,
  times: number,
  limit: string,
): Verdict[] {
  if (!domsnap || !other) return [];
  return [{ limit, holds: domsnap.spread.median <= times * other.spread.median }];
}

/** domsnap's median at most `more` above the other's, in the unit of both. */
export function atMostMore(
  domsnap: Series | null,
  other: Series | null,
  more: number,
  limit: string,
): Verdict[] {
  if (!domsnap || !other) return [];
  return [{ limit, holds: domsnap.spread.median - other.spread.median <= more }];
}
