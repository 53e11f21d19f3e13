import { armedFailpoints } from '../engine/failpoint.ts';
import { mayHoldJournal } from '../journal/home-trouble.ts';
import { openSession } from '../operations/open-session.ts';
import type { Session } from '../operations/session.ts';
import { hostWatchdog } from '../operations/watchdog.ts';
import { type Invocation, who } from './invocation.ts';
import { say } from './output.ts';
import { patientWriter } from './patient-writer.ts';

/** Work with this host's journal and catalog, and close them again. Throws HomeError. */
export function withSession<T>(
  { home }: Invocation,
  body: (session: Session) => Promise<T> | T,
  reason?: string,
): Promise<T> {
  return opened(home, 'work', body, reason);
}

/**
 * The same for a command that only reads. It makes no home: where none is, it says so on stderr, and
 * reads an empty one. Throws HomeError.
 */
export function withReading<T>(
  { home }: Invocation,
  body: (session: Session) => Promise<T> | T,
): Promise<T> {
  return opened(home, 'read', body);
}

async function opened<T>(
  home: string,
  purpose: 'work' | 'read',
  body: (session: Session) => Promise<T> | T,
  reason?: string,
): Promise<T> {
  const places = process.env.DOMSNAP_FAILPOINT;
  const session = openSession({
    home,
    purpose,
    who: who(reason),
    watchdog: watchdogOf(home, process.env.DOMSNAP_WATCHDOG),
    ...(places ? { failpoints: armedFailpoints(places, dieHere) } : {}),
  });
  if (purpose === 'read' && !mayHoldJournal(home)) say(`domsnap: ${home} holds no journal yet`);
  try {
    return await body(session);
  } finally {
    session.close();
  }
}

/** As a crash would: no handler runs, no buffer is written. Or as a hang would, where a test says SIGSTOP. */
function dieHere(): void {
  process.kill(process.pid, process.env.DOMSNAP_FAILPOINT_SIGNAL ?? 'SIGKILL');
}

/** For tests alone: `off`, or after how many seconds of silence an engine hangs. */
function watchdogOf(home: string, setting: string | undefined) {
  if (setting === 'off') return null;
  const hangS = Number(setting);
  return hostWatchdog(home, {
    ...(hangS > 0 ? { hangS } : {}),
    missed: why => patientWriter(2).write(`domsnap: ${why}; the operation goes on without it\n`),
  });
}
