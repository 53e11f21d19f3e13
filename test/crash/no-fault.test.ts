import { describe, expect, test } from 'vitest';
import { CATALOGUE } from '../../machines/index.ts';
import { drive } from '../sim/drive.ts';
import { violations } from '../sim/invariants.ts';
import { SCENARIOS } from '../sim/scenarios.ts';
import { prepare } from '../sim/stage.ts';

describe('without any fault', () => {
  test('every case of the catalogue has a scenario', () => {
    const covered = new Set(SCENARIOS.map(({ name }) => name.split(',')[0]));
    expect([...CATALOGUE.keys()].filter(id => !covered.has(id))).toEqual([]);
  });

  test.each(SCENARIOS)('$name is done, and all invariants hold', async scenario => {
    const prepared = await prepare(scenario);
    const { world } = prepared.host;
    if (prepared.input.operation === 'delete') {
      const { mergesDown, mergesUp } = prepared.input;
      if (scenario.name.includes('downward')) expect(mergesDown.length).toBeGreaterThan(0);
      if (scenario.name.includes('upward')) expect(mergesUp.length).toBeGreaterThan(0);
    }
    expect(prepared.saga.id).toBe(scenario.name.split(',')[0]);
    const before = new Map([...world.truth].map(([device, held]) => [device, [...held]] as const));
    const startsBefore = world.starts.length;
    const { ending, lives } = await drive(prepared);
    expect(ending.decision.context.failures).toEqual([]);
    expect(ending.outcome).toBe('committed');
    expect(lives).toBe(1);
    const expected = { ending, input: prepared.input, before, startsBefore };
    expect(violations(prepared.host, expected)).toEqual([]);
  });
});
