import type { Catalog, Domain } from '../catalog/model.ts';
import type { Clock } from '../engine/clock.ts';
import { sleep } from '../engine/clock.ts';
import type { Who } from '../engine/fact.ts';
import type { Failpoints } from '../engine/failpoint.ts';
import type { Lock, Locks } from '../engine/lock.ts';
import type { Journal, Operation, Projection } from '../journal/port.ts';
import type { Images } from '../storages/port.ts';
import type { CallContext, Toolstack } from '../toolstacks/port.ts';

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

const POLL_MS = 200;

/** Take a domain's lock. Throws BusyError where another process has it for longer than one waits. */
export async function lockDomain(
  { locks, clock, journal }: Session,
  domain: string,
  { waitMs = 0, signal }: Waiting,
): Promise<Lock> {
  const until = clock.monotonicMs() + waitMs;
  for (;;) {
    const lock = locks.tryAcquire(domain);
    if (lock) return lock;
    if (clock.monotonicMs() >= until || signal?.aborted) {
      const [holder] = journal.operations({ subject: domain, status: ['open'], limit: 1 });
      throw new BusyError(domain, holder);
    }
    await sleep(clock, POLL_MS, signal);
  }
}

/** The context of calls that belong to no operation: they ask, or start and stop a domain. */
export function freeContext(signal?: AbortSignal): CallContext {
  return {
    key: 'none',
    signal: signal ?? new AbortController().signal,
    log() {},
    progress() {},
  };
}
