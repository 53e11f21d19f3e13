import { expect, test } from 'vitest';
import { OPERATION_ID, systemClock } from '../../src/engine/system-clock.ts';

test('every id that is made has the form by which ids are known again', () => {
  const ids = Array.from({ length: 100 }, () => systemClock.newId());
  expect(ids.filter(id => !new RegExp(`^${OPERATION_ID}$`).test(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
});
