import { expect, test } from 'vitest';
import { age, bytes, columns, cut, duration, fill, shellWord } from '../../src/cli/format.ts';

test('bytes have three digits at most, in units of 1024', () => {
  expect([0, 999, 1000, 1024, 200_704, 1.5 * 2 ** 30, 64 * 2 ** 40].map(bytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 KiB',
    '1.0 KiB',
    '196 KiB',
    '1.5 GiB',
    '64 TiB',
  ]);
});

test('durations grow coarser as they grow longer', () => {
  expect([0.3, 42, 1234, 12_345, 60_000, 245_000, 7_380_000].map(duration)).toEqual([
    '<1 ms',
    '42 ms',
    '1.2 s',
    '12 s',
    '1 min',
    '4 min 5 s',
    '2 h 3 min',
  ]);
});

test('an age is told in one unit', () => {
  expect([10, 12_000, 200_000, 5 * 3_600_000, 20 * 86_400_000].map(age)).toEqual([
    'now',
    '12 s',
    '3 min',
    '5 h',
    '20 d',
  ]);
});

test('a word goes through a shell as it is', () => {
  expect(['plain', 'a b', "it's", '$(rm)', ''].map(shellWord)).toEqual([
    'plain',
    "'a b'",
    "'it'\\''s'",
    "'$(rm)'",
    "''",
  ]);
});

test('colours take no room in columns', () => {
  expect(
    columns([
      ['\u001b[1mab\u001b[22m', 'x'],
      ['abcd', 'y'],
    ]),
  ).toEqual(['\u001b[1mab\u001b[22m    x', 'abcd  y']);
});

test('a text is cut with a mark, and filled without breaking words', () => {
  expect(cut('abcdef', 4)).toBe('abc…');
  expect(fill('one two three four', 9, '  ')).toBe('  one two\n  three\n  four');
});
