import type { Clock } from '../../src/engine/clock.ts';
import type { Session } from '../../src/operations/session.ts';

/** The same session, whose deadlines of so many milliseconds come sooner. Bytes and steps stay real. */
export function hasty(session: Session, sooner: Readonly<Record<number, number>>): Session {
  const clock: Clock = {
    ...session.clock,
    after: (ms, callback) => session.clock.after(sooner[ms] ?? ms, callback),
  };
  return { ...session, clock };
}

/** The steps that ask the guest or stop it have 10 s, those that give it its life back 20 s. */
export const SOON = { 10000: 700, 20000: 1_200 } as const;
