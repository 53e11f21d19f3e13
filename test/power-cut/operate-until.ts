import { setTimeout as sleep } from 'node:timers/promises';
import type { Cut } from './cuts.ts';
import type { LabHost } from './lab-host.ts';

/** How to begin an operation. */
export interface OperateOptions {
  readonly start: readonly string[];
  readonly withoutSync: boolean;
  /** How many bytes of the disk's log there are. */
  readonly now: () => number;
}

/** How far an operation has come when its power is cut. */
export interface Operated {
  /** Its exit code, if it has told its end, and how long the log was then. */
  readonly end: { readonly status: number; readonly logBytes: number } | null;
  /** How long the log was when it had its plan, and had changed nothing yet. */
  readonly begunBytes: number;
  readonly moment: string;
}

/**
 * Begin the operation of a cut on its fresh disk, and come back when the moment has come: at once
 * after the line of progress that the seed names and its delay, or after the operation's end.
 */
export async function operateUntil(
  host: LabHost,
  { cutCase, share, delayMs }: Cut,
  { start, withoutSync, now }: OperateOptions,
): Promise<Operated> {
  const must = async (line: string) => {
    const { status, lines } = await host.run(line);
    if (status !== 0) throw new Error(`${line}: ${status}: ${lines.join(' / ')}`);
  };
  await must('mount_data fresh');
  if (withoutSync) await must('export LD_PRELOAD=/domsnap/no-sync.so');
  if (cutCase.live) await must(startLine(start));
  let last = 'before the plan';
  let planned = 0;
  let seen = 0;
  let end: Operated['end'] = null;
  let reached: () => void = () => {};
  const there = new Promise<void>(resolve => {
    reached = resolve;
  });
  let begunBytes = now();
  const command = `domsnap ${cutCase.command.join(' ')} --json`;
  const ended = host.run(command, line => {
    const event = eventOf(line);
    if (!event) return;
    if (event.event === 'planned') {
      planned = 2 * event.steps!.length;
      begunBytes = now();
    } else if (event.event === 'step') last = `${event.step} ${event.status}`;
    else if (event.event === 'result') end = { status: event.exit ?? 0, logBytes: now() };
    seen += 1;
    if (seen > share * (planned + 1)) reached();
  });
  const settled = ended.then(
    ({ status, lines }) => {
      end ??= { status, logBytes: now() };
      if (status !== 0) last = lines.join(' / ').slice(-400);
    },
    // The host dies in the middle of it.
    () => {},
  );
  await Promise.race([settled, there]);
  const afterMs = end ? delayMs * 4 : delayMs;
  await sleep(afterMs);
  const told = end as Operated['end'];
  const where = told ? `its end (${told.status}, ${last})` : last;
  return { end: told, begunBytes, moment: `${where} + ${afterMs} ms` };
}

/** The guest's first ticks take a while here; the socket is there before QEMU is ready. */
function startLine(argv: readonly string[]): string {
  const quoted = argv.map(word => `'${word}'`).join(' ');
  const started = `mkdir -p /var/lib/domsnap/run; ${quoted} >/run/guest.log 2>&1 &`;
  return `${started} until [ -S $domsnap_data/qmp.sock ]; do sleep 0.1; done; sleep 2`;
}

interface Progress {
  readonly event: string;
  readonly step?: string;
  readonly status?: string;
  readonly exit?: number;
  readonly steps?: readonly unknown[];
}

function eventOf(line: string): Progress | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Progress;
  } catch {
    return undefined;
  }
}
