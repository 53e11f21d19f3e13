import { armedFailpoints } from '../engine/failpoint.ts';
import { openSession } from '../operations/open-session.ts';
import type { Session } from '../operations/session.ts';
import { type Invocation, who } from './invocation.ts';

/** Work with this host's journal and catalog, and close them again. Throws HomeError. */
export async function withSession<T>(
  { home }: Invocation,
  body: (session: Session) => Promise<T> | T,
  reason?: string,
): Promise<T> {
  const places = process.env.DOMSNAP_FAILPOINT;
  const session = openSession({
    home,
    who: who(reason),
    ...(places ? { failpoints: armedFailpoints(places, dieHere) } : {}),
  });
  try {
    return await body(session);
  } finally {
    session.close();
  }
}

/** As a crash would: no handler runs, no buffer is written. */
function dieHere(): void {
  process.kill(process.pid, 'SIGKILL');
}
