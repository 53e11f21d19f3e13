import { Chance } from '../../seeded-random.ts';
import type { Case } from './cases.ts';
import type { Victim } from './victims.ts';

/** Who is killed in which case. */
export interface Pair {
  readonly case: Case;
  readonly victim: Victim;
}

/** As many pairs as there are rounds: all of them in an order of the seed's, then all again in another. */
export function pairsOf(cases: readonly Case[], seed: number, count: number): Pair[] {
  const all = cases.flatMap(one => one.victims.map(victim => ({ case: one, victim })));
  const chance = new Chance(seed);
  const chosen: Pair[] = [];
  while (chosen.length < count && all.length > 0) {
    const left = [...all];
    while (left.length > 0 && chosen.length < count) {
      chosen.push(...left.splice(Math.floor(chance.next() * left.length), 1));
    }
  }
  return chosen;
}
