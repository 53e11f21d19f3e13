import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StepError } from '../../engine/step.ts';
import { fileError } from '../../tools/file-errors.ts';
import { PIPE_FD, pipeOut } from '../../tools/pipe-out.ts';
import { argvOf, pids } from '../../tools/process.ts';
import { ToolError } from '../../tools/tool-error.ts';
import type { CallContext } from '../port.ts';
import { type MemorySink, reportPath } from '../qemu/sink.ts';
import { type Libvirt, refusedBy } from './libvirt.ts';
import { saveImageHead } from './save-image.ts';

/** What QEMU knows the pipe by. */
const PIPE = 'domsnap-memory';
const PASS_MS = 20_000;

/** Which word of a sink's command line names its memory file. */
const MARK = 'domsnap-sink';

/**
 * Libvirt's QEMU may start no programs (its seccomp filter forbids it), and opens no files that libvirt has
 * not labelled for it. So it is handed a pipe; at the other end a shell of ours writes the file, digests
 * it, and tells in the report how that went.
 */
export function passedSink(libvirt: Libvirt, home: string): MemorySink {
  return {
    async open(path, context) {
      const head = await writeHead(libvirt, home);
      const getFd = JSON.stringify({ execute: 'getfd', arguments: { fdname: PIPE } });
      const words = ['-q', 'qemu-monitor-command', libvirt.config.uuid];
      const program = libvirt.virsh.argv([...words, '--pass-fds', `${PIPE_FD}`, '--cmd', getFd]);
      await passPipe(program, path, head, context);
      return `fd:${PIPE}`;
    },
    // Where none is known by this name, it was taken up.
    async abandon(monitor, signal) {
      await monitor.try([{ command: 'closefd', args: { fdname: PIPE } }], signal);
    },
    roots: path => pids().filter(pid => argvOf(pid)?.some(word => word.includes(markOf(path)))),
  };
}

const markOf = (path: string): string => `${MARK}=${path}`;

/** Whatever fails, the sink reads to the end: a QEMU that cannot write its memory out hangs. */
const SCRIPT = [
  'echo begun >&3;',
  '{ { cat -- "$2"; cat; } | { tee -- "$1" || echo failed >&3; cat >/dev/null; } |',
  '{ sha256sum >&3; cat >/dev/null; }; } || cat >/dev/null',
].join(' ');

async function passPipe(
  program: Parameters<typeof pipeOut>[0],
  path: string,
  head: string,
  { log, signal }: CallContext,
): Promise<void> {
  const sink = { script: SCRIPT, args: [path, head, markOf(path)], report: reportPath(path) };
  try {
    await pipeOut(program, sink, { log, signal, deadlineMs: PASS_MS });
  } catch (error) {
    throw error instanceof ToolError ? refusedBy(error) : error;
  }
}

/** The head of the memory file, in a file of its own: the sink reads it before all else. */
async function writeHead(libvirt: Libvirt, home: string): Promise<string> {
  const state = await libvirt.state();
  if (state === null) throw new StepError('off', `${libvirt.config.name} is not running`);
  const folder = join(home, 'run');
  const path = join(folder, `${libvirt.config.uuid}.head`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const head = saveImageHead(await libvirt.xml('migratable'), state === 'running');
    writeFileSync(path, head, { mode: 0o600 });
  } catch (cause) {
    throw cause instanceof StepError ? cause : fileError('write', path, cause);
  }
  return path;
}
