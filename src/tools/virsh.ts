import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type CallSink, startCall } from './call-log.ts';
import { armDeadline, type Limits } from './deadline.ts';
import { printable } from './printable.ts';
import { type Argv, run } from './run.ts';
import { ToolError } from './tool-error.ts';

/** How a libvirt is reached, and what happens to be told of it. */
export type VirshOptions = {
  /** A connection URI; libvirt's own choice where there is none (virsh(1), URI). */
  readonly connect: string | undefined;
  readonly log: CallSink;
  /**
   * Given the reading end of a pipe whose writing end its process has as file descriptor `PIPE_FD`, for
   * `--pass-fds`. Such a virsh is followed by no other: nobody would read from that one's pipe.
   */
  readonly piped?: (end: PipeEnd) => void;
};

/** The reading end of a pipe. Nothing may be read from it here. */
export type PipeEnd = Socket;

/** The number under which a virsh has the writing end of a pipe. */
export const PIPE_FD = 5;

/** More than the description of any domain, or the block nodes of a thousand images. */
const MAX_ANSWER_CHARS = 32 * 1024 * 1024;
const PROMPT = 'virsh # ';
const TO_PIPE_FD = ['ignore', 'ignore', 'pipe'] as const;

/**
 * A virsh that stays: a call takes under a millisecond of its own where a process takes thirty. It reads
 * its commands from a pipe, echoes them, and answers on stdout, with its errors on stderr. Behind each
 * call it is given a command that it cannot know, of a name that nobody else can: where that is echoed the
 * answer ends, and where it is complained about the errors do.
 *
 * Every call throws ToolErrors: `missing` (no virsh), `refused` (a word that no command line can hold; or
 * no daemon answers, which its `detail` calls `unreachable`), `failed` (with what virsh says), `closed`
 * (virsh or its daemon has ended: whether the call took effect is not known), `timeout`, `aborted`,
 * `too-large`. A virsh that has ended, or does not answer, is followed by another.
 */
export class Virsh {
  readonly #connect: string | undefined;
  readonly #piped: VirshOptions['piped'];
  #wasPiped = false;
  #log: CallSink;
  #child: ChildProcess | undefined;
  #said = '';
  #complained = '';
  #heard: () => void = () => {};
  /** Calls are made one after the other: virsh has one line of input. */
  #last: Promise<unknown> = Promise.resolve();

  constructor({ connect, log, piped }: VirshOptions) {
    this.#connect = connect;
    this.#log = log;
    this.#piped = piped;
  }

  /** Which log the calls from here on go to. */
  use(log: CallSink): void {
    this.#log = log;
  }

  /** The words with which a shell would make a call. */
  argv(words: readonly string[]): Argv {
    return ['virsh', ...(this.#connect === undefined ? [] : ['-c', this.#connect]), ...words];
  }

  /** Make one call; answers what virsh says. */
  call(words: readonly string[], limits: Limits): Promise<string> {
    const mine = this.#last.then(() => this.#surely(words, limits));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  /** Make one call by a process of its own, with this text on its stdin, or with files of ours. */
  async once(
    words: readonly string[],
    limits: Limits & { readonly deadlineMs: number; readonly input?: string | undefined },
  ): Promise<string> {
    const { deadlineMs, signal, input } = limits;
    const options = { timeoutMs: deadlineMs, log: this.#log, signal, ownSession: true };
    const [program, ...rest] = this.argv(words);
    const done = await run([program, '-q', ...rest], {
      ...options,
      ...(input === undefined ? {} : { input }),
    });
    return done.stdout;
  }

  close(): void {
    const child = this.#child;
    this.#child = undefined;
    child?.stdin?.destroy();
    child?.stdout?.destroy();
    child?.stderr?.destroy();
    child?.kill('SIGKILL');
  }

  /** A domain that cannot be looked up is unknown, or its daemon is gone: the list of all tells which. */
  async #surely(words: readonly string[], limits: Limits): Promise<string> {
    try {
      return await this.#call(words, limits);
    } catch (error) {
      if (!(error instanceof ToolError) || error.detail.lookedUp !== true) throw error;
      const all = await this.#call(['list', '--all', '--uuid', '--name'], limits).catch(() => null);
      if (all === null || isListed(all, words[1] ?? '')) throw error;
      const message = `${error.message}: Domain not found`;
      throw new ToolError('exec', 'failed', message, { argv: words }, error);
    }
  }

  async #call(words: readonly string[], { deadlineMs, signal }: Limits): Promise<string> {
    const end = startCall(this.#log, 'exec', this.argv(words));
    const command = words.map(quoted).join(' ');
    const nonce = `end-${randomBytes(12).toString('hex')}`;
    try {
      const child = await this.#running();
      keepsUsAlive(child, true);
      this.#said = '';
      this.#complained = '';
      const answer = new Promise<string>((resolve, reject) => {
        const settle = (error: ToolError | undefined, text = '') => {
          disarm();
          this.#heard = () => {};
          keepsUsAlive(child, false);
          if (!error) return resolve(text);
          this.close();
          reject(error);
        };
        const disarm = armDeadline({ deadlineMs, signal }, why =>
          settle(unanswered(why, words, deadlineMs)),
        );
        this.#heard = () => {
          if (this.#said.length > MAX_ANSWER_CHARS) return settle(tooLarge(words));
          const at = this.#said.indexOf(`${PROMPT}${nonce}\n`);
          const heardAll = at >= 0 && this.#complained.includes(nonce);
          if (heardAll) return settle(undefined, afterEcho(this.#said.slice(0, at)));
          if (this.#child !== child) settle(ended(words, this.#complained));
        };
        child.stdin?.write(`${command}\n${nonce}\n`);
      });
      const text = await answer;
      const complaints = this.#complained.replaceAll(NEWS, '');
      const hasNews = complaints.length < this.#complained.length;
      const [errors = ''] = complaints.split(unknownCommand(nonce));
      if (/^error: /m.test(errors)) throw failed(words, errors, hasNews);
      end('ok', text);
      return text;
    } catch (error) {
      end(error instanceof ToolError ? error.code : 'bug', String(error));
      throw error;
    }
  }

  async #running(): Promise<ChildProcess> {
    if (this.#child) return this.#child;
    if (this.#wasPiped) {
      throw new ToolError('exec', 'closed', 'the virsh that holds the pipe has ended', {});
    }
    this.#wasPiped = this.#piped !== undefined;
    // Not quiet: how many file systems were frozen is among what it would not say then.
    const argv = this.argv([]);
    if (!isInstalled(argv[0])) throw notInstalled();
    const child = spawn('env', [WITHOUT_SIGPIPE, ...argv], {
      stdio: ['pipe', 'pipe', 'pipe', ...(this.#piped ? TO_PIPE_FD : [])],
      // Ctrl-C is for us: what a call has begun, it ends.
      detached: true,
      // An echo that is wrapped would have more than one line.
      env: { ...process.env, LC_ALL: 'C', TERM: 'dumb', INPUTRC: '/dev/null' },
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', cause => reject(notStarted(cause)));
    });
    this.#child = child;
    const pipe = child.stdio[PIPE_FD as 4] as Socket | undefined;
    pipe?.unref();
    if (pipe) this.#piped?.(pipe);
    const over = () => {
      if (this.#child === child) this.#child = undefined;
      this.#heard();
    };
    const hear = (stream: Readable | null, add: (text: string) => void) =>
      stream?.setEncoding('utf8').on('data', (text: string) => {
        if (this.#child !== child) return;
        add(text);
        this.#heard();
      });
    hear(child.stdout, text => {
      this.#said += text;
    });
    hear(child.stderr, text => {
      this.#complained += text;
    });
    child.once('close', over);
    child.stdin?.on('error', over);
    child.on('error', over);
    return child;
  }
}

/**
 * A virsh that writes to a daemon which has just died is ended by SIGPIPE, without a word about how far the call
 * has come (libvirt 9.0); where that is ignored, it says so. Node gives its children the signals' defaults, so
 * env(1) does it.
 */
const WITHOUT_SIGPIPE = '--ignore-signal=PIPE';

const isInstalled = (program: string): boolean =>
  (process.env.PATH ?? '').split(':').some(folder => existsSync(join(folder, program)));

/** Whether one of the lines `UUID NAME` is of this name or UUID. */
const isListed = (list: string, wanted: string): boolean =>
  list.split('\n').some(line => {
    const [uuid = '', ...name] = line.trim().split(' ');
    return uuid === wanted || name.join(' ').trim() === wanted;
  });

/** Only a virsh that is to answer keeps its caller's process going. */
function keepsUsAlive(child: ChildProcess, yes: boolean): void {
  for (const one of [child, child.stdin, child.stdout, child.stderr]) {
    const handle = one as { ref?(): void; unref?(): void } | null;
    if (yes) handle?.ref?.();
    else handle?.unref?.();
  }
}

const unknownCommand = (nonce: string): string => `error: unknown command: '${nonce}'`;

/** All behind the line in which virsh shows what it was told. Before the first one it says who it is. */
const afterEcho = (text: string): string =>
  text.slice(text.indexOf('\n', Math.max(0, text.indexOf(PROMPT))) + 1);

/**
 * A word for virsh's own tokenizer, which knows double quotes and backslashes (virsh(1), SYNOPSIS).
 * Throws ToolError `refused`: a control character would end the line, or be taken for a key.
 */
function quoted(word: string): string {
  if (/\p{Cc}/u.test(word)) {
    const message = `virsh cannot be told ${JSON.stringify(printable(word, 200))}: it has a control character`;
    throw new ToolError('exec', 'refused', message, {});
  }
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`;
}

const what = (words: readonly string[]): string => `virsh ${words[0] ?? ''}`;

/**
 * What virsh says of its connection whenever it changes, also in the middle of a line that it writes: that is no
 * answer to a call.
 */
const NEWS = /error: (Disconnected from .*|Reconnected to the hypervisor)\n/g;
/** The daemon was not there to be given the call. */
const UNREACHABLE = /^error: failed to (re)?connect to the hypervisor/im;
/** It was gone by the time it was asked which domain is meant, before anything is done to it. */
const lookedUpInVain = (errors: string): boolean =>
  /^error: failed to get domain/m.test(errors) && !/no domain with matching/i.test(errors);
/** It was given the call, and its answer did not come. */
const LOST =
  /^error: (Cannot (recv|write)|End of file|client socket is closed|internal error: client)/m;

function failed(words: readonly string[], errors: string, hasNews: boolean): ToolError {
  const message = `${what(words)}: ${saidIn(errors) || 'it failed, and did not say why'}`;
  if (UNREACHABLE.test(errors)) return unreachable(words, message);
  if (lookedUpInVain(errors)) {
    return new ToolError('exec', 'refused', message, {
      argv: words,
      unreachable: true,
      lookedUp: true,
    });
  }
  const lost = hasNews || LOST.test(errors);
  return new ToolError('exec', lost ? 'closed' : 'failed', message, { argv: words });
}

function ended(words: readonly string[], errors: string): ToolError {
  const why = saidIn(errors);
  const message = `${what(words)}: virsh has ended before it answered${why === '' ? '' : `: ${why}`}`;
  if (UNREACHABLE.test(errors)) return unreachable(words, message);
  return new ToolError('exec', 'closed', message, { argv: words });
}

const unreachable = (argv: readonly string[], message: string): ToolError =>
  new ToolError('exec', 'refused', message, { argv, unreachable: true });

/** What it complains of, in one line. */
const saidIn = (errors: string): string =>
  printable(
    errors
      .replaceAll(/^error: /gm, '')
      .trim()
      .replaceAll(/\n+/g, ': '),
    4_000,
  );

function unanswered(
  why: 'timeout' | 'aborted',
  words: readonly string[],
  deadlineMs: number | undefined,
): ToolError {
  const message =
    why === 'timeout'
      ? `${what(words)}: no answer within ${deadlineMs} ms`
      : `${what(words)}: called off`;
  return new ToolError('exec', why, message, { argv: words });
}

function tooLarge(words: readonly string[]): ToolError {
  return new ToolError('exec', 'too-large', `${what(words)}: the answer does not end`, {});
}

const notInstalled = (): ToolError =>
  new ToolError(
    'exec',
    'missing',
    'virsh is not installed or not in PATH; on Debian: apt install libvirt-clients',
    { program: 'virsh' },
  );

const notStarted = (cause: unknown): ToolError =>
  new ToolError('exec', 'refused', 'virsh cannot be started', {}, cause);
