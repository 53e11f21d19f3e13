import { describe, expect, test } from 'vitest';
import { labCacheFolder } from '../../src/lab/kit.ts';
import { powerCuts } from './campaign.ts';

/** At how many more moments each of them is cut off, without a boot. */
const REPLAYS = 2;
const CUTS = Number(process.env.DOMSNAP_POWER_CUTS ?? 2);
const SEED = Number(process.env.DOMSNAP_POWER_SEED ?? 1);

/** Emulators within an emulator: what takes two minutes on idle cores may take ten on busy ones. */
const TIMEOUT_MS = (3 + 3 * CUTS) * 60_000;

describe('the power of the whole host is cut off', () => {
  test('what the boot recovers from is done or as before, and every snapshot holds what it held', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const results = await powerCuts({
      cuts: CUTS,
      seed: SEED,
      replays: REPLAYS,
      // Two histories to be made; the long form, `npm run power-cut`, goes through all cases.
      only: /^(overlay|internal):(?!.*(standalone|precopy))/,
      cacheFolder: labCacheFolder(process.env),
      told: ({ id, name, outcome, moment }) =>
        console.log(`power cut ${id}: ${name}, cut at ${moment}: ${outcome}`),
    });
    const wrong = results.filter(({ violations }) => violations.length > 0);
    expect(wrong.map(({ id, name, violations }) => ({ id, name, violations }))).toEqual([]);
    expect(results).toHaveLength(CUTS * (1 + REPLAYS));
  });
});
