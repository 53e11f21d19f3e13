import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StepError } from '../../engine/step.ts';
import { fileError } from '../../tools/file-errors.ts';
import { argvOf, pids } from '../../tools/process.ts';
import { startSink } from '../../tools/start-sink.ts';
import { ToolError } from '../../tools/tool-error.ts';
import { PIPE_FD, type PipeEnd, Virsh } from '../../tools/virsh.ts';
import type { CallContext } from '../port.ts';
import { type MemorySink, reportPath } from '../qemu/sink.ts';
import { type Libvirt, refusedBy } from './libvirt.ts';
import { saveImageHead } from './save-image.ts';

/** What QEMU knows the pipe by. */
const PIPE = 'domsnap-memory';
const PASS_MS = 20_000;

/** Which word of a sink's command line names its memory file. */
const MARK = 'domsnap-sink';

/** A pipe that QEMU has not been given yet. */
interface Ready {
  /** It holds the writing end, and ends with whoever has prepared this. */
  readonly virsh: Virsh;
  readonly end: PipeEnd;
  /** The head of the memory file, in a file of its own. */
  readonly head: string;
}

/**
 * Libvirt's QEMU may start no programs (its seccomp filter forbids it), and opens no files that libvirt has
 * not labelled for it. So it is handed a pipe; at the other end a shell of ours writes the file, digests
 * it, and tells in the report how that went. A process of virsh's takes thirty milliseconds to be there,
 * in which the guest would stand still: it is there before, with the pipe.
 */
export function passedSink(libvirt: Libvirt, home: string): MemorySink {
  let ready: Ready | undefined;
  const close = () => {
    ready?.virsh.close();
    ready?.end.destroy();
    ready = undefined;
  };
  return {
    async prepare(context) {
      close();
      ready = await makeReady(libvirt, home, context);
    },
    async open(path, context) {
      ready ??= await makeReady(libvirt, home, context);
      try {
        await passOn(ready, libvirt.config.uuid, path, context);
      } finally {
        close();
      }
      return `fd:${PIPE}`;
    },
    // Where none is known by this name, it was taken up.
    async abandon(monitor, signal) {
      close();
      await monitor.try([{ command: 'closefd', args: { fdname: PIPE } }], signal);
    },
    close,
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

async function makeReady(
  libvirt: Libvirt,
  home: string,
  { log, signal }: CallContext,
): Promise<Ready> {
  const head = await writeHead(libvirt, home);
  let end: PipeEnd | undefined;
  const piped = (other: PipeEnd) => {
    end = other;
  };
  const virsh = new Virsh({ connect: libvirt.config.connect ?? undefined, log, piped });
  try {
    // It speaks to libvirt from its first question on.
    await virsh.call(['domstate', libvirt.config.uuid], { deadlineMs: PASS_MS, signal });
    if (end) return { virsh, end, head };
    throw new StepError('no-libvirt', 'virsh has no pipe');
  } catch (error) {
    virsh.close();
    throw error instanceof ToolError ? refusedBy(error) : error;
  }
}

/** Have a sink read from the pipe, and give QEMU its other end. */
async function passOn(
  { virsh, end, head }: Ready,
  uuid: string,
  path: string,
  { log, signal }: CallContext,
): Promise<void> {
  const sink = { script: SCRIPT, args: [path, head, markOf(path)], report: reportPath(path) };
  const getFd = JSON.stringify({ execute: 'getfd', arguments: { fdname: PIPE } });
  const words = ['qemu-monitor-command', uuid, '--pass-fds', `${PIPE_FD}`, '--cmd', getFd];
  virsh.use(log);
  try {
    await startSink(end, sink, log);
    await virsh.call(words, { deadlineMs: PASS_MS, signal });
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
