import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import type { Who } from '../../src/engine/fact.ts';
import { systemClock } from '../../src/engine/system-clock.ts';
import { thisProcess } from '../../src/engine/who.ts';
import { memoryJournal } from '../../src/journal/memory.ts';
import { BusyError, lockDomain, type Session } from '../../src/operations/session.ts';

/** A session in which somebody has the lock of `web1` for a time, and `who` began its open operation. */
function heldFor(ms: number, who: Who): Session {
  const freeAtMs = performance.now() + ms;
  const journal = memoryJournal({ apply() {} });
  const operation = {
    ...{ id: 'op1', subject: 'web1', caseId: 'c', caseVersion: 1 },
    ...{ status: 'open' as const, openedAt: 0, closedAt: null },
  };
  const fact = { type: 'started' as const, input: {}, deadlines: {}, who };
  const first = {
    operation: 'op1',
    seq: 0,
    at: 0,
    fact,
    from: '',
    to: 's',
    effects: [],
    calls: [],
  };
  journal.open(operation, first, []);
  const locks = {
    tryAcquire: () => (performance.now() < freeAtMs ? undefined : { release() {} }),
  };
  return { journal, clock: systemClock, locks } as unknown as Session;
}

const dead = (): Who => ({ ...thisProcess(), pid: spawnSync('true').pid });

test('a domain in use is busy at once, unless one waits', async () => {
  const session = heldFor(250, thisProcess());
  const beganMs = performance.now();
  await expect(lockDomain(session, 'web1', {})).rejects.toThrow(BusyError);
  expect(performance.now() - beganMs).toBeLessThan(200);
  await lockDomain(session, 'web1', { waitMs: 5_000 });
});

test('a domain that is recovered from a dead process is waited for, without being told to', async () => {
  await lockDomain(heldFor(250, dead()), 'web1', {});
});

test('a lock that is about to be free is had within milliseconds', async () => {
  const session = heldFor(20, thisProcess());
  const beganMs = performance.now();
  await lockDomain(session, 'web1', { waitMs: 5_000 });
  expect(performance.now() - beganMs).toBeLessThan(150);
});
