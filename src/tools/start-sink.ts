import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { type CallSink, startCall } from './call-log.ts';
import { ToolError } from './tool-error.ts';
import type { PipeEnd } from './virsh.ts';

/** What reads a pipe, and says how that went. */
export interface Sink {
  /** A shell script; its stdin is the pipe, its file descriptor 3 the report. */
  readonly script: string;
  /** Its $1, $2, … */
  readonly args: readonly string[];
  /** Appended to; must be there. */
  readonly report: string;
}

/**
 * Have a shell script read from a pipe, in a session of its own: it outlives us, and ends with the last
 * writer. From here on it alone reads. Throws ToolError `refused`, and what opening the report throws.
 */
export async function startSink(
  end: PipeEnd,
  { script, args, report }: Sink,
  log: CallSink,
): Promise<void> {
  const argv = ['/bin/sh', '-c', script, 'sh', ...args] as const;
  const over = startCall(log, 'exec', argv);
  const [program, ...rest] = argv;
  const reportFd = openSync(report, 'a');
  try {
    const stdio = [end, 'ignore', 'ignore', reportFd] as const;
    const sink = spawn(program, rest, { detached: true, stdio: [...stdio] });
    sink.unref();
    await once(sink, 'spawn');
    over('ok', '');
  } catch (cause) {
    over('refused', String(cause));
    throw new ToolError('exec', 'refused', 'a shell cannot be started', { argv }, cause);
  } finally {
    closeSync(reportFd);
    end.destroy();
  }
}
