import { describe, expect, test } from 'vitest';
import { dyingTwice, MISFORTUNES, misfortunes } from '../sim/misfortunes.ts';
import { SCENARIOS } from '../sim/scenarios.ts';
import type { Scenario } from '../sim/stage.ts';
import { complaints, judge, sweep, type Trouble } from '../sim/sweep.ts';

/** Sampled runs for each scenario; `DOMSNAP_SIM_RUNS` asks for more, and `DOMSNAP_SIM_SEED` for others. */
const RUNS = Number(process.env.DOMSNAP_SIM_RUNS ?? 12);
const FIRST_SEED = Number(process.env.DOMSNAP_SIM_SEED ?? 1);
const timeout = 120_000 + RUNS * 2_000;

/**
 * Every trouble at every moment of every case of one operation, then recovered and judged. What a failing
 * run met is printed as JSON, with its seed: `judge(scenario, THAT)` repeats it.
 */
export function acquits(operation: string): void {
  const scenarios = SCENARIOS.filter(({ name }) => name.startsWith(`${operation}.`));
  for (const { says, ...fault } of MISFORTUNES) {
    describe(`whenever ${says}`, () => {
      test.each(scenarios)('$name ends well', { timeout }, async scenario => {
        const verdicts = await sweep(scenario, at => ({ faults: [{ ...fault, at }] }));
        expect(complaints(verdicts)).toEqual([]);
      });
    });
  }
  describe('whenever the user calls it off', () => {
    test.each(scenarios)('$name ends well', { timeout }, async scenario => {
      const verdicts = await sweep(scenario, at => ({ faults: [], abortAt: at }));
      expect(complaints(verdicts)).toEqual([]);
    });
  });
  describe('when the recovery dies too', () => {
    test.each(scenarios)('$name ends well', { timeout }, async scenario => {
      const { moments } = await judge(scenario, { faults: [], seed: 1 });
      await sampled(scenario, async seed => dyingTwice(seed, moments));
    });
  });
  describe('whatever comes together', () => {
    test.each(scenarios)('$name ends well', { timeout }, async scenario => {
      await sampled(scenario, seed => misfortunes(scenario, seed));
    });
  });
}

async function sampled(scenario: Scenario, trouble: (seed: number) => Promise<Trouble>) {
  const failed: string[] = [];
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed += 1) {
    failed.push(...complaints([await judge(scenario, await trouble(seed))]));
  }
  expect(failed).toEqual([]);
}
