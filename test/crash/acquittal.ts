import { describe, expect, test } from 'vitest';
import { MISFORTUNES, misfortunes } from '../sim/misfortunes.ts';
import { SCENARIOS } from '../sim/scenarios.ts';
import { complaints, judge, sweep, type Verdict } from '../sim/sweep.ts';

/** Runs with several misfortunes for each scenario; the seed of a failing one is in its title. */
const SAMPLES = 12;

/** Every misfortune at every moment of every case of one operation, then recovered and judged. */
export function acquits(operation: string): void {
  const scenarios = SCENARIOS.filter(({ name }) => name.startsWith(`${operation}.`));
  for (const { says, ...fault } of MISFORTUNES) {
    describe(`whenever ${says}`, () => {
      test.each(scenarios)('$name ends well', { timeout: 60_000 }, async scenario => {
        expect(complaints(await sweep(scenario, fault))).toEqual([]);
      });
    });
  }
  describe('whatever comes together', () => {
    test.each(scenarios)('$name ends well', { timeout: 60_000 }, async scenario => {
      const verdicts: Verdict[] = [];
      for (let seed = 1; seed <= SAMPLES; seed += 1) {
        verdicts.push(await judge(scenario, await misfortunes(scenario, seed), seed));
      }
      expect(complaints(verdicts)).toEqual([]);
    });
  });
}
