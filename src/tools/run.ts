import type { Result } from 'execa';
import { type CallSink, startCall } from './call-log.ts';
import { lockConflictExit, lockedArgv } from './flock-argv.ts';
import type { Json } from './json.ts';
import { printable } from './printable.ts';
import { ToolError } from './tool-error.ts';

/** A program and its arguments; never goes through a shell. */
export type Argv = readonly [string, ...string[]];

export type RunOptions = {
  readonly timeoutMs: number;
  readonly log: CallSink;
  readonly signal?: AbortSignal | undefined;
  /** Accepted on stdout and on stderr, each; default 8 MiB. */
  readonly maxOutputBytes?: number | undefined;
  /**
   * A file on which the tool itself holds a kernel lock while it runs, so that the next life of a
   * killed domsnap sees "still running". The tool then has a session of its own: Ctrl-C and our
   * death do not end it, `signal` and `timeoutMs` do.
   */
  readonly lock?: string | undefined;
  /**
   * The descriptor of a file that is locked already, which the tool gets as its standard input and so keeps
   * locked: for tools that close whatever else they are given. In all other things as with `lock`.
   */
  readonly lockedInput?: number | undefined;
  /** In a session of its own also without a lock: what a terminal sends to all at work does not reach it. */
  readonly ownSession?: boolean | undefined;
  readonly input?: string | undefined;
  readonly cwd?: string | undefined;
  /** Exit codes that are answers and no failures; default 0 only. */
  readonly okExits?: readonly number[] | undefined;
};

export type RunResult = {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
};

const defaultOutputBytes = 8 * 1024 * 1024;
const killAfterMs = 2000;
const stderrTailChars = 4000;

/** Where Debian has the tools that domsnap calls. */
const packageOf: { readonly [program: string]: string } = {
  'qemu-img': 'qemu-utils',
  'qemu-io': 'qemu-utils',
  'qemu-system-x86_64': 'qemu-system-x86',
  flock: 'util-linux',
  virsh: 'libvirt-clients',
  xl: 'xen-utils-common',
  lvs: 'lvm2',
  lvm: 'lvm2',
  lvmlockctl: 'lvm2-lockd',
};

/**
 * Runs a program to its end, in the C locale, without a shell.
 * Throws ToolError: `missing` (with the package's name for known programs), `failed` (exit code or
 * signal, and the end of stderr), `timeout` (SIGTERM was sent, and SIGKILL 2 s later), `aborted`
 * (the same), `busy` (`lock` is held: the program was not started), `too-large`.
 */
export async function run(argv: Argv, options: RunOptions): Promise<RunResult> {
  const [program, ...args] = options.lock === undefined ? argv : lockedArgv(options.lock, argv);
  const end = startCall(options.log, 'exec', argv);
  const maxBuffer = options.maxOutputBytes ?? defaultOutputBytes;
  if (options.signal?.aborted) {
    end('aborted', '');
    throw failure('aborted', argv, `${argv[0]} was not started: aborted`, { started: false });
  }
  // Loaded when first needed: it is large, and most of what a user asks runs no program.
  const { execa } = await import('execa');
  const outlives = options.lock !== undefined || options.lockedInput !== undefined;
  const child = execa(program, args, {
    reject: false,
    stripFinalNewline: false,
    env: { LC_ALL: 'C' },
    timeout: options.timeoutMs,
    forceKillAfterDelay: killAfterMs,
    maxBuffer,
    detached: outlives || options.ownSession === true,
    ...(outlives ? { cleanup: false } : {}),
    ...(options.signal ? { cancelSignal: options.signal } : {}),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.input === undefined ? { stdin: stdinOf(options) } : { input: options.input }),
  });
  const result = await orStuck(child, argv, options, end);
  const error = errorOf(result, argv, options);
  end(error?.code === 'failed' ? exitOf(result) : (error?.code ?? exitOf(result)), result.stdout);
  if (error) throw error;
  return { stdout: result.stdout, stderr: result.stderr, exitCode: result.exitCode ?? 0 };
}

/** execa takes a descriptor here, as Node does; its types speak of 0 alone. */
const stdinOf = ({ lockedInput }: RunOptions): 'ignore' => (lockedInput ?? 'ignore') as 'ignore';

type TextResult = Pick<Result, 'exitCode' | 'signal' | 'code' | 'cause'> & {
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  readonly isCanceled: boolean;
  readonly isMaxBuffer: boolean;
};

/**
 * Waits for the end, but not for ever: a process in an uninterruptible wait outlives SIGKILL, and a
 * grandchild that kept stdout would keep us waiting after the child's end.
 */
function orStuck(
  child: Promise<TextResult> & { readonly pid?: number | undefined },
  argv: Argv,
  options: RunOptions,
  end: (exit: string, answer: string) => void,
): Promise<TextResult> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout;
    const giveUpIn = (ms: number, why: 'timeout' | 'aborted') => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        end(why, '');
        const message = `${argv[0]} did not end, not even on SIGKILL; it may still be running`;
        reject(failure(why, argv, message, { pid: child.pid ?? null, stillRunning: true }));
      }, ms);
    };
    const graceMs = killAfterMs + 1000;
    giveUpIn(Math.min(options.timeoutMs + graceMs, 2 ** 31 - 1), 'timeout');
    const onAbort = () => giveUpIn(graceMs, 'aborted');
    options.signal?.addEventListener('abort', onAbort, { once: true });
    child.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
    });
  });
}

function errorOf(result: TextResult, argv: Argv, options: RunOptions): ToolError | undefined {
  const [program] = argv;
  if (result.timedOut) {
    const message = `${program} did not end within ${options.timeoutMs} ms and was killed`;
    return failure('timeout', argv, message, outputOf(result));
  }
  if (result.isCanceled)
    return failure('aborted', argv, `${program} was aborted and killed`, outputOf(result));
  if (result.isMaxBuffer)
    return failure('too-large', argv, `${program} wrote more than is accepted`, outputOf(result));
  if (result.code === 'ENOENT')
    return missing(options.lock === undefined ? program : 'flock', argv);
  if (result.exitCode === undefined && result.signal === undefined)
    return failure('refused', argv, `${program} cannot be started: ${result.code ?? 'unknown'}`);
  if (options.lock !== undefined) {
    if (result.exitCode === lockConflictExit)
      return failure('busy', argv, `${options.lock} is held: the tool still runs`, {
        lock: options.lock,
      });
    if (/^flock: failed to execute .*No such file/m.test(result.stderr))
      return missing(program, argv);
  }
  const okExits = options.okExits ?? [0];
  if (result.exitCode !== undefined && okExits.includes(result.exitCode)) return undefined;
  const tail = printable(result.stderr.trim(), stderrTailChars);
  const message = `${program} failed (${exitOf(result)})${tail === '' ? '' : `: ${tail}`}`;
  return failure('failed', argv, message, outputOf(result));
}

function missing(program: string, argv: Argv): ToolError {
  const debian = packageOf[program];
  const hint = debian === undefined ? '' : `; on Debian: apt install ${debian}`;
  return failure('missing', argv, `${program} is not installed or not in PATH${hint}`, {
    program,
    package: debian ?? null,
  });
}

function failure(
  code: ToolError['code'],
  argv: Argv,
  message: string,
  detail: { readonly [key: string]: Json } = {},
): ToolError {
  return new ToolError('exec', code, message, { argv, ...detail });
}

function outputOf(result: TextResult): { readonly [key: string]: Json } {
  return {
    exitCode: result.exitCode ?? null,
    signal: result.signal ?? null,
    stderr: printable(result.stderr.trim(), stderrTailChars),
  };
}

/** For the call log: the exit code or the signal that ended it. */
function exitOf(result: TextResult): string | number {
  if (result.exitCode === 0) return 'ok';
  return result.exitCode ?? result.signal ?? result.code ?? 'unknown';
}
