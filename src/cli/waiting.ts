import type { Waiting } from '../operations/session.ts';

/** How long `--wait [seconds]` waits for a domain that is in use; without a number, without limit. */
export const waitingOf = (wait: number | true | undefined): Waiting =>
  wait === undefined ? {} : { waitMs: wait === true ? Infinity : wait * 1000 };
