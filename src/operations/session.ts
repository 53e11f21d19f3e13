import type { Catalog, Domain } from '../catalog/model.ts';
import type { Clock } from '../engine/clock.ts';
import { sleep } from '../engine/clock.ts';
import type { Who } from '../engine/fact.ts';
import type { Failpoints } from '../engine/failpoint.ts';
import type { Lock, Locks } from '../engine/lock.ts';
import type { Watchdog } from '../engine/watchdog.ts';
import type { Journal, Operation, Projection } from '../journal/port.ts';
import type { Images } from '../storages/port.ts';
import { processAlive } from '../tools/process.ts';
import { type CallContext, NO_EFFECT, type Toolstack } from '../toolstacks/port.ts';
import { startOf } from './begun.ts';

/** Everything that operations on this host share. Real, or simulated as a whole. */
export interface Session {
  readonly home: string;
  readonly clock: Clock;
  readonly who: Who;
  readonly journal: Journal;
  readonly catalog: Catalog & Projection;
  readonly locks: Locks;
  readonly images: Images;
  readonly failpoints: Failpoints;
  readonly watchdog?: Watchdog;
  openToolstack(domain: Domain): Promise<Toolstack>;
  close(): void;
}

/** Another operation has the domain, or a dead one holds it open. Exit code 6. */
export class BusyError extends Error {
  override readonly name = 'BusyError';
  readonly domain: string;
  readonly operation: Operation | undefined;

  constructor(domain: string, operation?: Operation) {
    const what = operation
      ? `the operation ${operation.id} (${operation.caseId})`
      : 'another domsnap';
    super(`${domain} is in use by ${what}`);
    this.domain = domain;
    this.operation = operation;
  }
}

/** How long to wait for a domain that is in use. */
export interface Waiting {
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

/** From short to long: a process that was killed lets go at once, one at work does not. */
const POLL_MIN_MS = 5;
const POLL_MAX_MS = 200;

/** A command typed right after a crash is not told that its domain is busy with the watchdog's recovery. */
const RECOVERY_MS = 10_000;

/**
 * Take a domain's lock. Throws BusyError where another process has it for longer than one waits.
 * A recovery of what a dead process left is waited for in any case: it would be the first thing to do.
 */
export async function lockDomain(
  session: Session,
  domain: string,
  { waitMs = 0, signal }: Waiting,
): Promise<Lock> {
  const { locks, clock, journal } = session;
  let until = clock.monotonicMs() + waitMs;
  for (let pollMs = POLL_MIN_MS; ; pollMs = Math.min(2 * pollMs, POLL_MAX_MS)) {
    const lock = locks.tryAcquire(domain);
    if (lock) return lock;
    if (pollMs === POLL_MIN_MS && beingRecovered(session, domain)) {
      until = Math.max(until, clock.monotonicMs() + RECOVERY_MS);
    }
    if (clock.monotonicMs() >= until || signal?.aborted) {
      const [holder] = journal.operations({ subject: domain, status: ['open'], limit: 1 });
      throw new BusyError(domain, holder);
    }
    await sleep(clock, pollMs, signal);
  }
}

/** The process that began the domain's open operation is gone: whoever has the lock is recovering it. */
function beingRecovered(session: Session, domain: string): boolean {
  const [open] = session.journal.operations({ subject: domain, status: ['open'], limit: 1 });
  const start = open && startOf(session, open.id);
  return start !== undefined && !processAlive(start.who.pid);
}

/** The context of calls that belong to no operation: they ask, or start and stop a domain. */
export function freeContext(signal?: AbortSignal): CallContext {
  return {
    key: NO_EFFECT,
    signal: signal ?? new AbortController().signal,
    log() {},
    progress() {},
  };
}
