import { Chance } from '../seeded-random.ts';
import type { Scenario } from './stage.ts';
import { judge, type Trouble } from './sweep.ts';
import type { Fault } from './world.ts';

/** The misfortunes that a run may meet at any moment. */
export const MISFORTUNES: readonly (Omit<Fault, 'at'> & { readonly says: string })[] = [
  { kind: 'engine-dies', says: 'the engine dies' },
  { kind: 'host-dies', says: 'the host dies, and with it what was not synced' },
  { kind: 'domain-dies', says: 'the domain’s process dies' },
  { kind: 'fails', says: 'a call fails once' },
  { kind: 'fails', persistent: true, says: 'a call fails whenever it is tried' },
  { kind: 'hangs', says: 'a call does not answer' },
];

/**
 * Two to four misfortunes, close enough for the later ones to strike in the recovery of the first; in
 * every fourth run the user calls the operation off besides.
 */
export async function misfortunes(scenario: Scenario, seed: number): Promise<Trouble> {
  const chance = new Chance(seed * 7_919);
  const { moments } = await judge(scenario, { faults: [], seed });
  let at = 1 + chance.below(moments);
  const faults = Array.from({ length: 2 + chance.below(3) }, () => {
    const { says: _, ...fault } = chance.of(MISFORTUNES);
    const struck = { ...fault, at };
    at += 1 + chance.below(20);
    return struck;
  });
  return { faults, seed, ...(seed % 4 === 0 ? { abortAt: 1 + chance.below(moments) } : {}) };
}

/** The engine dies, and dies again at a moment of its recovery; sampled by seed. */
export function dyingTwice(seed: number, moments: number): Trouble {
  const chance = new Chance(seed * 104_729);
  const first = {
    kind: chance.below(4) === 0 ? 'host-dies' : 'engine-dies',
    at: 1 + chance.below(moments),
  } as const;
  const second = {
    kind: chance.below(4) === 0 ? 'host-dies' : 'engine-dies',
    at: first.at + 1 + chance.below(25),
  } as const;
  return { faults: [first, second], seed };
}
