import { describe, expect, test } from 'vitest';
import { type SuiteEnd, suiteName } from './run-suite.ts';

/** Make a test of this side of each test that was run in a lab host, with its error. */
export function declareTests(
  files: readonly string[],
  { results, trouble }: Pick<SuiteEnd, 'results' | 'trouble'>,
): void {
  test('the lab host runs its tests to their end', () => {
    expect(trouble).toBeUndefined();
    expect(files).not.toEqual([]);
  });

  describe.each(files.map(suiteName))('%s', name => {
    const here = results.filter(({ file }) => file === name);
    test('has tests', () => expect(here).not.toEqual([]));
    for (const { path, status, durationMs, error } of here)
      test.skipIf(status === 'skipped')(`${path.join(' > ')} (${durationMs} ms)`, () => {
        if (error) throw Object.assign(new Error(error.message), error);
      });
  });
}
