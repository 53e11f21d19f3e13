import { expect, test } from 'vitest';
import { leftStanding } from '../../src/doctor/left-standing.ts';
import type { Fact } from '../../src/engine/fact.ts';
import type { JournalRecord } from '../../src/journal/port.ts';

/** Records in which these effects follow each other, all done but the last. */
function records(...steps: readonly (string | [string, unknown])[]): JournalRecord[] {
  const named = steps.map(step => (typeof step === 'string' ? ([step, {}] as const) : step));
  return named.map(([step], n) => {
    const before = named[n - 1];
    const fact: Fact = before
      ? { type: 'done', effect: before[0], output: before[1] }
      : { type: 'started', input: {}, deadlines: {}, who: { uid: 0, login: '', host: '', pid: 1 } };
    return {
      position: n,
      operation: 'op',
      seq: n,
      at: n,
      fact,
      from: '',
      to: step,
      effects: [{ key: step, id: step, step }],
      calls: [],
      prev: '',
      hash: '',
    };
  });
}

test('a guest that was stopped and let run again is not left standing', () => {
  const run = records('pauseDomain', 'snapshotDisks', 'unpauseDomain', 'publish');
  expect(leftStanding(run)).toEqual({ still: false, frozen: false });
});

test('a guest that was stopped, and never let run, is', () => {
  expect(leftStanding(records('pauseDomain', 'snapshotDisks')).still).toBe(true);
});

test('what is not said to be done is no proof', () => {
  expect(leftStanding(records('reserve', 'pauseDomain')).still).toBe(false);
});

test('a freeze counts only if it was sent, and until the thaw', () => {
  const sent: [string, unknown] = ['freezeGuest', { sent: true }];
  const unsent: [string, unknown] = ['freezeGuest', { sent: false }];
  expect(leftStanding(records(sent, 'pauseDomain')).frozen).toBe(true);
  expect(leftStanding(records(unsent, 'pauseDomain')).frozen).toBe(false);
  expect(leftStanding(records(sent, 'thawGuest', 'publish')).frozen).toBe(false);
});
