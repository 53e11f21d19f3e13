import type { Locks } from '../engine/lock.ts';
import { openDatabase } from './database.ts';
import { sqliteLocks } from './lock.ts';
import type { Journal, Projection } from './port.ts';
import { sqliteJournal } from './sqlite.ts';

/**
 * Open the journal and the locks of a folder: all that an engine needs to survive its own death.
 * `projection` is told of the changes that steps make, inside the transaction of their records.
 */
export function openJournal(
  folder: string,
  projection: Projection = { apply() {} },
): { readonly journal: Journal; readonly locks: Locks; close(): void } {
  const database = openDatabase(folder);
  return {
    journal: sqliteJournal(database, projection),
    locks: sqliteLocks(folder),
    close: () => database.close(),
  };
}
