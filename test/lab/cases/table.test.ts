import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CATALOGUE } from '../../../machines/index.ts';
import { COLUMNS, provedIn, withTable } from './table.ts';
import { writing } from './writing.ts';

const README = join(import.meta.dirname, '../../../README.md');

describe('the table of cases', () => {
  test('every case has been proved on the real tools', () => {
    const proved = new Set(COLUMNS.flatMap(provedIn));
    expect([...CATALOGUE.keys()].filter(id => !proved.has(id))).toEqual([]);
    expect([...proved].filter(id => !CATALOGUE.has(id))).toEqual([]);
  });

  test('the README shows what has been proved; DOMSNAP_WRITE_TABLE=1 writes it', () => {
    const text = readFileSync(README, 'utf8');
    if (writing()) writeFileSync(README, withTable(text));
    else expect(text).toBe(withTable(text));
  });
});
