import { expect, test } from 'vitest';
import type { Json } from '../../src/engine/json.ts';
import { memoryJournal } from '../../src/journal/memory.ts';
import { journalConformance } from './conformance.ts';
import { operation, record } from './samples.ts';

journalConformance('memory', () => {
  const applied: Json[] = [];
  const journal = memoryJournal({ apply: change => void applied.push(change) });
  return { journal, applied, close() {} };
});

test('a host that dies takes the records with it that no durable one followed', () => {
  const journal = memoryJournal({ apply() {} });
  journal.open(operation('o1'), record('o1', 0), []);
  journal.append(record('o1', 1), { durable: true, status: 'open', changes: [] });
  journal.append(record('o1', 2), { durable: false, status: 'open', changes: [] });
  journal.loseUnsynced();
  expect(journal.records('o1').map(({ seq }) => seq)).toEqual([0, 1]);
  expect(journal.verify().faults).toEqual([]);
});
