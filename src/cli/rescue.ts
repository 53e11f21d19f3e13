import { recover } from '../operations/recover.ts';
import { BusyError } from '../operations/session.ts';
import { EXIT } from './exit-codes.ts';
import { withSession } from './open-home.ts';

/** The lock of a process that was just killed is free within milliseconds; another recovery may have it. */
const WAIT_MS = 60_000;

/**
 * What the watchdog runs: `domsnap recover OPERATION`, with nothing loaded that only people need. A guest
 * may stand still until it has come to its work. Its one line of output goes to the watchdog's log.
 */
export async function rescue(home: string, operation: string): Promise<never> {
  const call = { home, json: true, verbose: false, logFile: undefined, connect: undefined };
  try {
    const reports = await withSession(
      call,
      session => recover(session, operation, { waitMs: WAIT_MS }),
      'watchdog',
    );
    say(reports[0] ?? { operation, outcome: 'somebody else has brought it to its end' });
    process.exit(reports.some(({ outcome }) => outcome === 'needsAttention') ? EXIT.attention : 0);
  } catch (error) {
    say({ operation, error: error instanceof Error ? error.message : String(error) });
    process.exit(error instanceof BusyError ? EXIT.busy : EXIT.bug);
  }
}

const say = (what: object): void => console.log(JSON.stringify(what));
