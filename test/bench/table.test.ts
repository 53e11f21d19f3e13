import { describe, expect, test } from 'vitest';
import { atMostMore, atMostTimes, type Finding, series } from '../../src/bench/findings.ts';
import { markdown, shownNumber } from '../../src/bench/table.ts';

const finding = (change: Partial<Finding>): Finding => ({
  part: 'create',
  memoryMb: 256,
  what: 'guest pause',
  unit: 'ms',
  domsnap: series([12, 10, 11]),
  against: 'floor',
  other: series([10, 8, 9]),
  verdicts: [],
  ...change,
});

const rowOf = (change: Partial<Finding>): string[] => {
  const [, , row = ''] = markdown([finding(change)]).split('\n');
  return row
    .slice(2, -2)
    .split(' | ')
    .map(cell => cell.trim());
};

describe('the table', () => {
  test('shows medians, quartiles and their ratio', () => {
    expect(rowOf({})).toEqual([
      'create: guest pause',
      '256 MiB',
      'ms',
      '11.0 [10.5–11.5]',
      'floor',
      '9.00 [8.50–9.50]',
      '1.22',
      '–',
      '3',
    ]);
  });

  test('says which limits hold, and which do not', () => {
    const [ours, theirs] = [series([12, 10, 11]), series([10, 8, 9])];
    const verdicts = [
      ...atMostTimes(ours, theirs, 1.3, 'floor × 1.3'),
      ...atMostMore(ours, theirs, 1, 'floor + 1 ms'),
    ];
    expect(rowOf({ verdicts })[7]).toBe('✔ floor × 1.3; ✘ floor + 1 ms');
  });

  test('shows what is missing as missing, with the reason, and judges nothing by it', () => {
    expect(rowOf({ other: null, note: 'virsh is not installed' }).slice(0, 7)).toEqual([
      'create: guest pause (virsh is not installed)',
      '256 MiB',
      'ms',
      '11.0 [10.5–11.5]',
      'floor',
      '–',
      '–',
    ]);
    expect(atMostTimes(series([1]), null, 3, 'limit')).toEqual([]);
  });

  test('keeps a bar within a text from making a column', () => {
    expect(markdown([finding({ what: 'list | cat' })])).toContain('list \\| cat');
  });

  test.each([
    [1234.5678, 'ms', '1235'],
    [12.345, 'ms', '12.3'],
    [0.1234, 'ms', '0.12'],
    [8, 'count', '8'],
  ] as const)('shows %d %s as %s', (value, unit, shown) => {
    expect(shownNumber(value, unit)).toBe(shown);
  });

  test('has as many cells in each row as its heading', () => {
    const lines = markdown([finding({}), finding({ domsnap: null, memoryMb: null })]).split('\n');
    expect(new Set(lines.map(line => line.split('|').length)).size).toBe(1);
  });
});
