import type { JournalRecord } from '../journal/port.ts';

/** Effects from whose beginning the guest may stand still, and those at whose end it runs, or is gone. */
const STILL = new Set(['pauseDomain', 'convergeMemory', 'loadMemory']);
const RUNS = new Set(['unpauseDomain', 'abandonConvergence', 'letRunOn', 'stopDomain']);

/**
 * What an operation's records prove that it has left behind: a guest that it stopped and never let run
 * again, or froze and never thawed. What the records leave open counts as not proven.
 */
export function leftStanding(records: readonly JournalRecord[]): {
  readonly still: boolean;
  readonly frozen: boolean;
} {
  let still = false;
  let frozen = false;
  let pending: readonly { id: string; step: string }[] = [];
  for (const { fact, effects } of records) {
    if (fact.type === 'done') {
      const step = pending.find(({ id }) => id === fact.effect)?.step ?? '';
      if (STILL.has(step)) still = true;
      if (RUNS.has(step)) still = false;
      if (step === 'freezeGuest') frozen = wasSent(fact.output);
      if (step === 'thawGuest') frozen = false;
    }
    pending = effects;
  }
  return { still, frozen };
}

const wasSent = (output: unknown): boolean =>
  (output as { sent?: unknown } | undefined)?.sent === true;
