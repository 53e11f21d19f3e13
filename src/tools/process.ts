import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CallSink, type EndCall, startCall } from './call-log.ts';
import type { Limits } from './deadline.ts';
import { errnoOf, ToolError } from './tool-error.ts';

/** The pids of all processes that can be seen, our own too (proc(5)). */
export function pids(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

/** The argument vector of a process; null if it is gone or not ours to see. */
export function argvOf(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return text === '' ? null : text.replace(/\0$/, '').split('\0');
  } catch {
    return null;
  }
}

/** Whether a process that can be seen has this word among its arguments. */
export function namedByAProcess(word: string): boolean {
  return pids().some(pid => argvOf(pid)?.includes(word));
}

/**
 * When a process started, in clock ticks since boot (proc(5), /proc/PID/stat field 22); with the
 * pid it names a process for ever, since pids are used again. Null if it is gone, is a zombie, or
 * cannot be seen.
 */
export function processStartTicks(pid: number): number | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // Field 2 is the name in parentheses, and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  if (state === 'Z' || state === 'X') return null;
  const ticks = Number(fields[19]);
  return Number.isSafeInteger(ticks) ? ticks : null;
}

/** Whether the process lives; with `startTicks`, whether it is still that very process. */
export function processAlive(pid: number, startTicks?: number): boolean {
  const ticks = processStartTicks(pid);
  return ticks !== null && (startTicks === undefined || ticks === startTicks);
}

/**
 * Ends a process: SIGTERM, and SIGKILL after `graceMs`; resolves when it is gone, at once if it was
 * already. A process that got the pid meanwhile is not touched.
 * Throws ToolError: `failed` (no permission), `timeout` (still there `graceMs` after SIGKILL, as a
 * process in an uninterruptible wait is), `aborted`.
 */
export async function terminate(
  pid: number,
  startTicks: number,
  options: { readonly graceMs: number; readonly log: CallSink; readonly signal?: Limits['signal'] },
): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!processAlive(pid, startTicks)) return;
    const end = startCall(options.log, 'exec', ['kill', `-${signal}`, String(pid)]);
    sendSignal(pid, signal, end);
    const gone = await waitGone(pid, startTicks, options.graceMs, options.signal);
    end(gone ? 'ok' : 'timeout', '');
    if (gone) return;
  }
  throw new ToolError('exec', 'timeout', `process ${pid} does not die of SIGKILL`, { pid });
}

function sendSignal(pid: number, signal: NodeJS.Signals, end: EndCall): void {
  try {
    process.kill(pid, signal);
  } catch (cause) {
    const errno = errnoOf(cause) ?? 'unknown';
    if (errno === 'ESRCH') return;
    end(errno, '');
    const detail = { pid, signal, errno };
    throw new ToolError('exec', 'failed', `cannot send ${signal} to ${pid}`, detail, cause);
  }
}

const pollMs = 20;

async function waitGone(
  pid: number,
  startTicks: number,
  graceMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const untilMs = performance.now() + graceMs;
  while (processAlive(pid, startTicks)) {
    if (signal?.aborted)
      throw new ToolError('exec', 'aborted', `aborted while process ${pid} was ending`, { pid });
    if (performance.now() >= untilMs) return false;
    await sleep(pollMs);
  }
  return true;
}
