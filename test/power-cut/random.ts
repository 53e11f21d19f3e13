/** Chance that a seed repeats. */
export interface Random {
  /** From 0 to less than 1. */
  share(): number;
  /** A whole number from 0 to less than `below`. */
  below(below: number): number;
  pick<T>(of: readonly T[]): T;
}

/** Mulberry32: enough for a choice of moments. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const share = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(share() * limit);
  return { share, below, pick: of => of[below(of.length)]! };
}
