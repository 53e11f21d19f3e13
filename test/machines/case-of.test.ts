import { describe, expect, test } from 'vitest';
import { type Conditions, caseOf, DISKS, EXTENT, MEMORY, PLACE } from '../../machines/case-of.ts';
import { CATALOGUE } from '../../machines/index.ts';

/** Every combination of conditions that there is. */
const ALL: readonly Conditions[] = [true, false].flatMap(live =>
  DISKS.flatMap<Conditions>(disks => [
    ...MEMORY.map(memory => ({ operation: 'create' as const, live, memory, disks })),
    ...[true, false].map(memory => ({ operation: 'revert' as const, live, memory, disks })),
    ...EXTENT.flatMap(extent =>
      PLACE.map(place => ({ operation: 'delete' as const, live, extent, place, disks })),
    ),
  ]),
);

const named = ALL.map(conditions => ({ what: Object.values(conditions).join(' '), conditions }));

describe('every combination of conditions is a case or a refusal', () => {
  test.each(named)('$what', ({ conditions }) => {
    const answer = caseOf(conditions);
    if ('refusal' in answer) {
      expect(answer.refusal).toMatch(/\w+ \w+/);
      return;
    }
    const { id } = answer.saga;
    expect(CATALOGUE.get(id)).toBe(answer.saga);
    const [operation, state] = id.split('.');
    expect(operation).toBe(conditions.operation);
    expect(state).toBe(conditions.live ? 'live' : 'offline');
    // What has external disks is never taken for a case that moves no image, nor the other way round.
    expect(id.endsWith('.external')).toBe(conditions.disks === 'external');
  });
});

test('each of the thirty cases is reached', () => {
  const reached = new Set(
    ALL.flatMap(conditions => {
      const answer = caseOf(conditions);
      return 'saga' in answer ? [answer.saga.id] : [];
    }),
  );
  expect(CATALOGUE.size).toBe(30);
  expect([...CATALOGUE.keys()].filter(id => !reached.has(id))).toEqual([]);
});

test('only what cannot be done is refused', () => {
  const refused = ALL.filter(conditions => 'refusal' in caseOf(conditions));
  for (const conditions of refused) {
    const { operation, live, disks } = conditions;
    const senseless =
      (operation === 'create' && (disks === 'none' || (!live && conditions.memory !== 'none'))) ||
      (operation === 'revert' && disks === 'none') ||
      (operation === 'delete' &&
        conditions.extent === 'children-only' &&
        conditions.place === 'standalone');
    expect(senseless, JSON.stringify(conditions)).toBe(true);
  }
});

test('memory that is saved or loaded is part of the case', () => {
  for (const conditions of ALL) {
    const answer = caseOf(conditions);
    if (conditions.operation === 'delete' || !('saga' in answer)) continue;
    const word = answer.saga.id.split('.')[2];
    const wanted = { none: 'disk-only', true: 'memory', false: 'disk-only' } as Record<
      string,
      string
    >;
    expect(word).toBe(wanted[String(conditions.memory)] ?? conditions.memory);
  }
});
