import { describe, expect, test } from 'vitest';
import type { Json } from '../../src/engine/json.ts';
import type { Journal } from '../../src/journal/port.ts';
import { SubjectBusyError } from '../../src/journal/port.ts';
import { operation, record } from './samples.ts';

/** A fresh journal, with the changes that its projection was told of. */
export interface JournalWorld {
  readonly journal: Journal;
  readonly applied: Json[];
  close(): void;
}

const durable = { durable: true, status: 'open' as const, changes: [] };

/** What every journal promises. */
export function journalConformance(name: string, make: () => JournalWorld): void {
  describe(`journal: ${name}`, () => {
    const withWorld = (body: (world: JournalWorld) => void) => () => {
      const world = make();
      try {
        body(world);
      } finally {
        world.close();
      }
    };

    test(
      'gives back what was appended, in its order',
      withWorld(({ journal }) => {
        journal.open(operation('o1'), record('o1', 0), []);
        journal.append(record('o1', 1), durable);
        journal.append(record('o1', 2), { ...durable, durable: false });
        expect(journal.records('o1').map(({ seq, fact }) => [seq, fact.type])).toEqual([
          [0, 'started'],
          [1, 'done'],
          [2, 'done'],
        ]);
        expect(journal.records('o1')[1]).toMatchObject(record('o1', 1));
      }),
    );

    test(
      'lets a subject have one open operation, and names it to the second',
      withWorld(({ journal }) => {
        journal.open(operation('o1'), record('o1', 0), []);
        const second = () => journal.open(operation('o2'), record('o2', 0), []);
        expect(second).toThrow(SubjectBusyError);
        expect(second).toThrow(/o1/);
        journal.open(operation('o3', 'web2'), record('o3', 0), []);
        journal.append(record('o1', 1), { ...durable, status: 'needsAttention' });
        expect(second).toThrow(SubjectBusyError);
        journal.append(record('o1', 2), { ...durable, status: 'rolledBack' });
        second();
        expect(journal.operations({ subject: 'web1' }).map(({ id }) => id)).toContain('o2');
      }),
    );

    test(
      'remembers when an operation closed, and lists by subject and status',
      withWorld(({ journal }) => {
        journal.open(operation('o1'), record('o1', 0), []);
        expect(journal.operation('o1')).toMatchObject({ status: 'open', closedAt: null });
        journal.append(record('o1', 1), { ...durable, status: 'committed' });
        expect(journal.operation('o1')).toMatchObject({ status: 'committed', closedAt: 1_001 });
        expect(journal.operations({ status: ['open'] })).toEqual([]);
        expect(journal.operations({ subject: 'other' })).toEqual([]);
      }),
    );

    test(
      'tells the projection of each change, once',
      withWorld(({ journal, applied }) => {
        journal.open(operation('o1'), record('o1', 0), [{ n: 1 }]);
        journal.append(record('o1', 1), { ...durable, changes: [{ n: 2 }, { n: 3 }] });
        expect(applied).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
      }),
    );

    test(
      'chains its records, and verifies',
      withWorld(({ journal }) => {
        journal.open(operation('o1'), record('o1', 0), []);
        journal.open(operation('o2', 'web2'), record('o2', 0), []);
        journal.append(record('o1', 1), durable);
        const all = journal.since(0, 100);
        expect(all.map(({ position }) => position)).toEqual([1, 2, 3]);
        expect(all[2]?.prev).toBe(all[1]?.hash);
        expect(journal.verify()).toEqual({ records: 3, faults: [] });
      }),
    );
  });
}
