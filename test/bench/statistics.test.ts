import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { slopeOf, spreadOf } from '../../src/bench/statistics.ts';

describe('the spread of measurements', () => {
  test('of an odd number is the value in the middle, whatever their order', () => {
    expect(spreadOf([9, 1, 5]).median).toBe(5);
  });

  test('of an even number lies between the two in the middle', () => {
    expect(spreadOf([1, 2, 10, 100])).toEqual({
      count: 4,
      median: 6,
      q1: 1.75,
      q3: 32.5,
      least: 1,
      most: 100,
    });
  });

  test('of one value is that value', () => {
    const { median, q1, q3 } = spreadOf([7]);
    expect([median, q1, q3]).toEqual([7, 7, 7]);
  });

  test('of nothing is an error, not a zero that looks measured', () => {
    expect(() => spreadOf([])).toThrow('nothing was measured');
  });

  test('keeps its order, and half of the values on each side of the median', () => {
    const numbers = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1 });
    fc.assert(
      fc.property(numbers, values => {
        const { least, q1, median, q3, most } = spreadOf(values);
        expect([least, q1, median, q3, most]).toEqual(
          [least, q1, median, q3, most].toSorted((a, b) => a - b),
        );
        const half = values.length / 2;
        expect(values.filter(value => value < median).length).toBeLessThanOrEqual(half);
        expect(values.filter(value => value > median).length).toBeLessThanOrEqual(half);
      }),
    );
  });
});

describe('the slope of samples', () => {
  test('of a straight line is the line’s', () => {
    const line = [0, 50, 100, 400].map(x => ({ x, y: 3 + 0.25 * x }));
    expect(slopeOf(line)).toBeCloseTo(0.25, 10);
  });

  test('of noise around a level is none', () => {
    const level = [0, 1, 2, 3].map(x => ({ x, y: x === 0 || x === 3 ? 10 : 12 }));
    expect(slopeOf(level)).toBeCloseTo(0, 10);
  });

  test('of one place is an error', () => {
    expect(() => slopeOf([{ x: 1, y: 2 }])).toThrow('two places');
  });
});
