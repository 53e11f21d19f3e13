import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { connectQmp, type Qmp, type QmpEvent } from '../tools/qmp.ts';
import { log } from './say.ts';

/** How long the guest stood still, by QEMU's own clock. */
export interface Pause {
  readonly totalMs: number;
  readonly times: number;
}

/** Watches one guest by a monitor of the bench's own, the same for whoever is measured. */
export interface Stillness {
  /** Run something; how long did the guest stand still for it? */
  within<T>(body: () => Promise<T>): Promise<{ value: T; pause: Pause }>;
  /** Let the guest stand still while another is measured. */
  rest(): Promise<void>;
  wake(): Promise<void>;
  close(): void;
}

/** What QEMU's events take to get here, at most; nobody is measured by it. */
const LATE_MS = 100;
const CONNECT_MS = 10_000;

/** Watch the guest behind a monitor socket. Throws ToolError. */
export async function watchStillness(path: string): Promise<Stillness> {
  let events: QmpEvent[] = [];
  const monitor: Qmp = await connectQmp({
    path,
    deadlineMs: CONNECT_MS,
    log,
    onEvent: event => events.push(event),
  });
  const tell = (command: string) => monitor.execute(z.object({}), command).then(() => {});
  return {
    async within(body) {
      events = [];
      const value = await body();
      await sleep(LATE_MS);
      return { value, pause: pauseOf(events) };
    },
    rest: () => tell('stop'),
    wake: () => tell('cont'),
    close: () => monitor.close(),
  };
}

/**
 * The time between each STOP and the RESUME behind it. QEMU says STOP when all processors stand, and
 * RESUME before it lets them go (softmmu/cpus.c of 7.2), whoever told it to.
 */
export function pauseOf(events: readonly Pick<QmpEvent, 'event' | 'timestamp'>[]): Pause {
  let stoppedMs: number | undefined;
  let totalMs = 0;
  let times = 0;
  for (const { event, timestamp } of events) {
    const atMs = timestamp.seconds * 1000 + timestamp.microseconds / 1000;
    if (event === 'STOP') stoppedMs ??= atMs;
    if (event !== 'RESUME' || stoppedMs === undefined) continue;
    totalMs += atMs - stoppedMs;
    times += 1;
    stoppedMs = undefined;
  }
  if (stoppedMs !== undefined) throw new Error('the guest was stopped and does not run again');
  return { totalMs, times };
}
