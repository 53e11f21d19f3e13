import type { Scenario } from './scenarios.ts';
import { seeded } from './seeded.ts';
import { judge } from './sweep.ts';
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

/** Two to four misfortunes, close enough for the later ones to strike in the recovery of the first. */
export async function misfortunes(scenario: Scenario, seed: number): Promise<Fault[]> {
  const random = seeded(seed * 7_919);
  const { moments } = await judge(scenario, [], seed);
  let at = 1 + Math.floor(random() * moments);
  return Array.from({ length: 2 + Math.floor(random() * 3) }, () => {
    const { says: _, ...fault } = MISFORTUNES[Math.floor(random() * 6)] as (typeof MISFORTUNES)[0];
    const struck = { ...fault, at };
    at += 1 + Math.floor(random() * 20);
    return struck;
  });
}
