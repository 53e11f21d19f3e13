import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkName, fileSafe, generatedName } from '../../src/plan/names.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.string(),
);

describe('names', () => {
  test('of any text are taken as they are or refused, and then say why', () => {
    fc.assert(
      fc.property(anyText, name => {
        try {
          expect(checkName('snapshot', name)).toBe(name);
        } catch (error) {
          expect(String(error)).toMatch(/the snapshot name .+ (is|has|begins|means) /);
          return;
        }
        expect(name).not.toMatch(/[/\\\p{Cc}]|^-|^$|^\.\.?$/u);
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(128);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each(['', '.', '..', '-rf', 'a/b', 'a\\b', 'a\nb', 'a\u202Eb', ' a', 'a ', '\uD800'])(
    '%j is refused',
    name => {
      expect(() => checkName('domain', name)).toThrow('the domain name');
    },
  );

  test('a character that a terminal would act upon is spelled out', () => {
    expect(() => checkName('domain', 'a\u202Eb\u2028')).toThrow('"a\\u202eb\\u2028"');
  });

  test('become parts of file names of plain characters', () => {
    fc.assert(
      fc.property(anyText, name => {
        expect(fileSafe(name)).toMatch(/^[A-Za-z0-9._-]{0,40}$/);
      }),
    );
  });

  test('that are generated are good and not taken', () => {
    const at = fc.integer({ min: 0, max: 4e12 });
    fc.assert(
      fc.property(at, fc.nat({ max: 5 }), (ms, others) => {
        const taken = new Set<string>();
        for (let n = 0; n <= others; n += 1) {
          const name = generatedName('snap', ms, taken);
          expect(taken).not.toContain(name);
          taken.add(checkName('snapshot', name));
        }
      }),
    );
  });
});
