import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const TESTS = join(import.meta.dirname, '..');
const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');

/** One row of the list: the fault, and what its last column says of it. */
const rows = readme.split('\n').flatMap(line => {
  const cells = line.split('|').map(cell => cell.trim());
  return /^F\d\d$/.test(cells[1] ?? '')
    ? [{ fault: cells[1]!, says: cells.slice(4).join('|') }]
    : [];
});
const NO_TEST = /^(Cannot occur|Left to the guest): \S.{30,}/;
const NAMED = /`([^`]+)`: “([^”]+)”/g;

describe('the list of faults', () => {
  test('names each of F01 to F78 once, in order', () => {
    const all = Array.from({ length: 78 }, (_, n) => `F${String(n + 1).padStart(2, '0')}`);
    expect(rows.map(({ fault }) => fault)).toEqual(all);
  });

  test.each(rows)(
    '$fault has a test that is there, or a reason why it needs none',
    ({ fault, says }) => {
      const named = [...says.matchAll(NAMED)];
      if (named.length === 0) {
        expect(says).toMatch(NO_TEST);
        return;
      }
      for (const [, file, name] of named) {
        const text = readFileSync(join(TESTS, file!), 'utf8');
        expect(text.includes(name!), `${file} has no test “${name}”`).toBe(true);
        // A test of these faults tells which; one that was there before is known by its own story.
        if (file!.startsWith('faults/') && name!.startsWith('F')) expect(name).toContain(fault);
      }
    },
  );

  test('every fault that a test here names is in the list as shown by it', () => {
    const files = new Set([...readme.matchAll(NAMED)].map(([, file]) => file!));
    for (const file of [...files].filter(one => one.startsWith('faults/'))) {
      const text = readFileSync(join(TESTS, file), 'utf8');
      const titles = [
        ...text.matchAll(/(?:test(?:\.\w+)*\([^'"]*|\[\s*|describe\()'((?:F\d\d )*F\d\d: )/g),
      ];
      for (const fault of titles.flatMap(([, title]) => title!.match(/F\d\d/g) ?? [])) {
        const row = rows.find(one => one.fault === fault);
        expect(row?.says, `${fault} of ${file}`).toContain(file);
      }
    }
  });
});
