import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { type CallSink, startCall } from './call-log.ts';
import { processStartTicks } from './process.ts';
import type { Argv } from './run.ts';
import { errnoOf, ToolError } from './tool-error.ts';

/** A process that outlives us. */
export type Daemon = {
  readonly pid: number;
  /** Names the process together with the pid; null if it has ended already. */
  readonly startTicks: number | null;
  /** Its exit code or signal, should it end while we are there; does not keep us alive. */
  readonly exit: Promise<number | string>;
};

/**
 * Starts a program in a session of its own, so that neither our death nor our terminal's Ctrl-C ends
 * it, with stdout and stderr appended to `logFile` (made with mode 0600). Resolves once it is
 * started, which says nothing of how it fares.
 * Throws ToolError: `missing`, `refused` (cannot be executed, the log cannot be opened).
 */
export async function spawnDaemon(
  argv: Argv,
  options: { readonly log: CallSink; readonly logFile: string; readonly cwd?: string | undefined },
): Promise<Daemon> {
  const [program, ...args] = argv;
  const end = startCall(options.log, 'exec', argv);
  let output: number;
  try {
    output = openSync(options.logFile, 'a', 0o600);
  } catch (cause) {
    end('refused', '');
    const message = `cannot write the log of ${program}: ${options.logFile}`;
    throw new ToolError('exec', 'refused', message, { logFile: options.logFile }, cause);
  }
  try {
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', output, output],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const exit = new Promise<number | string>(resolve =>
      child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown')),
    );
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('spawn', () => resolve(child.pid!));
      child.once('error', reject);
    });
    child.unref();
    end('ok', '');
    return { pid, startTicks: processStartTicks(pid), exit };
  } catch (cause) {
    const errno = errnoOf(cause) ?? 'unknown';
    const code = errno === 'ENOENT' ? 'missing' : 'refused';
    end(code, '');
    throw new ToolError('exec', code, `${program} cannot be started: ${errno}`, { argv }, cause);
  } finally {
    closeSync(output);
  }
}
