import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { type CallSink, startCall } from './call-log.ts';
import { armDeadline, type Limits } from './deadline.ts';
import { printable } from './printable.ts';
import type { Argv } from './run.ts';
import { shellWord } from './shell-word.ts';
import { ToolError } from './tool-error.ts';

/** The number under which the program that passes a pipe on has its writing end. */
export const PIPE_FD = 5;

/**
 * Has a program pass the writing end of a pipe (its file descriptor 5) on to another process, while a
 * shell script reads the other end, in a session of its own: it outlives us, and ends with the last
 * writer. Resolves when the program has ended well. The script has `args` as $1, $2, …, and what it writes
 * to its file descriptor 3 is appended to `report`, which must be there.
 * Throws ToolError: `failed` (with what the program said), `refused`, `timeout`, `aborted`.
 */
export async function pipeOut(
  program: Argv,
  sink: { readonly script: string; readonly args: readonly string[]; readonly report: string },
  options: Limits & { readonly log: CallSink },
): Promise<void> {
  const end = startCall(options.log, 'exec', program);
  const report = openSync(sink.report, 'a');
  const child = spawn('/bin/sh', ['-c', scriptOf(sink), 'sh', ...program], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', report, 'pipe'],
  });
  closeSync(report);
  let said = '';
  let status = '';
  const [, , complaints, , statusPipe] = child.stdio;
  complaints?.on('data', (text: Buffer) => {
    if (said.length < 10_000) said += text.toString('utf8');
  });
  try {
    await new Promise<void>((resolve, reject) => {
      const disarm = armDeadline(options, why =>
        reject(new ToolError('exec', why, `${program[0]} did not pass the pipe on in time`, {})),
      );
      const over = () => {
        disarm();
        const exit = Number(status.trim() || Number.NaN);
        if (exit === 0) return resolve();
        const tail = printable(said.replaceAll(/^error: /gm, '').trim(), 4_000);
        const message = `${program[0]} failed (${status.trim() || 'it was ended'}): ${tail}`;
        reject(new ToolError('exec', 'failed', message, { argv: program }));
      };
      statusPipe?.on('data', (text: Buffer) => {
        status += text.toString('utf8');
        // The shell keeps the pipe open, and waits for the sink.
        if (status.endsWith('\n')) over();
      });
      statusPipe?.once('end', over);
      child.once('error', cause =>
        reject(new ToolError('exec', 'refused', 'a shell cannot be started', {}, cause)),
      );
    });
    end('ok', '');
  } catch (error) {
    end(error instanceof ToolError ? error.code : 'bug', String(error));
    // The sink ends by itself where nobody holds the other end; a program that hangs does.
    if (child.pid !== undefined && status === '') {
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It is gone.
      }
    }
    throw error;
  } finally {
    complaints?.destroy();
    statusPipe?.destroy();
    child.unref();
  }
}

/** The status goes out by a descriptor of its own, 4: the shell itself waits for the sink. */
function scriptOf({ script, args }: { readonly script: string; readonly args: readonly string[] }) {
  return [
    `{ "$@" ${PIPE_FD}>&1 >&2 3>&- 4>&- </dev/null; echo $? >&4; } |`,
    `{ exec 4>&- 2>/dev/null; set -- ${args.map(shellWord).join(' ')}; ${script}; }`,
  ].join(' ');
}
