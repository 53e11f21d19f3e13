import type { Clock } from '../engine/clock.ts';
import type { Who } from '../engine/fact.ts';
import { type Failpoints, noFailpoints } from '../engine/failpoint.ts';
import { systemClock } from '../engine/system-clock.ts';
import type { Watchdog } from '../engine/watchdog.ts';
import { sqliteCatalog } from '../journal/catalog.ts';
import { openDatabase, type Purpose } from '../journal/database.ts';
import { sqliteLocks } from '../journal/lock.ts';
import { sqliteJournal } from '../journal/sqlite.ts';
import { hostImages } from '../storages/images.ts';
import { openToolstack } from '../toolstacks/open.ts';
import type { Session } from './session.ts';
import { hostWatchdog } from './watchdog.ts';

/**
 * Open this host's journal and catalog. Throws HomeError where the home folder cannot be used.
 * An operation on a running guest is watched over by a process of its own; should this process hang
 * while the guest stands still, it is killed. `watchdog: null` goes without. `purpose: 'read'` makes no
 * home where there is none, and is content with one that cannot be written to.
 */
export function openSession(options: {
  readonly home: string;
  readonly who: Who;
  readonly clock?: Clock;
  readonly failpoints?: Failpoints;
  readonly watchdog?: Watchdog | null;
  readonly purpose?: Purpose;
}): Session {
  const { home, who, clock = systemClock, failpoints = noFailpoints } = options;
  const watchdog = options.watchdog === undefined ? hostWatchdog(home) : options.watchdog;
  const database = openDatabase(home, options.purpose);
  const catalog = sqliteCatalog(database);
  return {
    home,
    clock,
    who,
    catalog,
    journal: sqliteJournal(database, catalog),
    locks: sqliteLocks(home),
    images: hostImages({ clock }),
    failpoints,
    ...(watchdog ? { watchdog } : {}),
    openToolstack: domain =>
      openToolstack(domain, {
        home,
        clock,
        domain: () => catalog.domain(domain.name) ?? domain,
      }),
    close: () => database.close(),
  };
}
