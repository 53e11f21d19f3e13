import { randomInt } from 'node:crypto';
import type { Socket } from 'node:net';
import { type CallSink, type EndCall, startCall } from './call-log.ts';
import { armDeadline, type Limits } from './deadline.ts';
import type { JsonObject } from './json.ts';
import { JsonLines, qmpLineBytes } from './json-lines.ts';
import { type QmpEvent, QmpEvents, qmpEvent } from './qmp-events.ts';
import { commandFailed, isAnswer, type QmpLine, readQmpLine } from './qmp-protocol.ts';
import { ToolError } from './tool-error.ts';

/** A command of the monitor. */
export type QmpCommand = { readonly command: string; readonly args?: JsonObject | undefined };

/** What became of one command: its value, or the error (also if the connection ended before it). */
export type QmpAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: ToolError };

type Pending = {
  readonly command: string;
  readonly args: JsonObject;
  readonly end: EndCall;
  readonly settle: (answer: QmpAnswer) => void;
};

/** Events beyond this are no events of QEMU; it bounds what a flood can make us hold. */
const maxEventBytes = 64 * 1024;

/** The wire of one monitor: commands by id, events, and one end that all learn of. */
export class QmpConnection {
  readonly events = new QmpEvents();
  readonly #socket: Socket;
  readonly #log: CallSink;
  readonly #onEvent: ((event: QmpEvent) => void) | undefined;
  readonly #lines = new JsonLines('qmp', qmpLineBytes);
  readonly #pending = new Map<unknown, Pending>();
  #greeting: { resolve: (value: unknown) => void; reject: (error: ToolError) => void } | undefined;
  /**
   * Not from 1: QEMU hands the answer to a command whose client has gone to the next client, before its
   * greeting or behind it (measured on 7.2), and that must never be taken for an answer of this connection.
   */
  #nextId = randomInt(2 ** 47);
  #end: ToolError | undefined;

  constructor(socket: Socket, log: CallSink, onEvent: ((event: QmpEvent) => void) | undefined) {
    this.#socket = socket;
    this.#log = log;
    this.#onEvent = onEvent;
  }

  /** The error that ended the connection, or undefined while it lives. */
  get end(): ToolError | undefined {
    return this.#end;
  }

  /** Starts to read; resolves with the first line, not yet checked. */
  greeting(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#greeting = { resolve, reject };
      this.#socket.on('close', () =>
        this.fail(new ToolError('qmp', 'closed', 'the monitor hung up')),
      );
      this.#socket.on('data', chunk => this.#onData(chunk));
    });
  }

  /** Ends the connection: everything that waits, now or later, fails with `error`. */
  fail(error: ToolError): void {
    if (this.#end) return;
    this.#end = error;
    this.#socket.destroy();
    this.#greeting?.reject(error);
    for (const id of [...this.#pending.keys()]) this.#settle(id, { ok: false, error });
    this.events.close(error);
  }

  /** Sends all commands in one write and resolves, never rejects, with their answers in order. */
  send(commands: readonly QmpCommand[], limits: Limits): Promise<QmpAnswer[]> {
    if (commands.length === 0) return Promise.resolve([]);
    const refusal = this.#end ?? (limits.signal?.aborted ? notSent() : undefined);
    if (refusal) return Promise.resolve(commands.map(() => ({ ok: false, error: refusal })));
    const ids: number[] = [];
    const lines: string[] = [];
    const answers = commands.map(({ command, args = {} }) => {
      const id = this.#nextId++;
      ids.push(id);
      lines.push(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
      return new Promise<QmpAnswer>(settle => {
        const end = startCall(this.#log, 'qmp', { execute: command, arguments: args });
        this.#pending.set(id, { command, args, end, settle });
      });
    });
    const disarm = armDeadline(limits, why => this.#giveUp(ids, why));
    this.#socket.write(lines.join(''));
    return Promise.all(answers).finally(disarm);
  }

  // An answer may still come, and must never be taken for that of a later command: the connection
  // ends with the command.
  #giveUp(ids: readonly number[], why: 'timeout' | 'aborted'): void {
    const open = ids.flatMap(id => this.#pending.get(id)?.command ?? []);
    const message = `${open.join(', ')}: no answer (${why}); the connection is closed, and whether it took effect is unknown`;
    const error = new ToolError('qmp', why, message, { commands: open });
    for (const id of ids) this.#settle(id, { ok: false, error });
    this.fail(new ToolError('qmp', 'closed', message, { commands: open }, error));
  }

  #onData(chunk: Buffer): void {
    try {
      for (const { value, bytes } of this.#lines.push(chunk)) {
        if (this.#end) return;
        if (this.#greeting) {
          if (isAnswer(value)) continue;
          this.#greeting.resolve(value);
          this.#greeting = undefined;
        } else this.#onLine(readQmpLine(value), bytes);
      }
    } catch (cause) {
      this.fail(
        cause instanceof ToolError
          ? cause
          : new ToolError('qmp', 'protocol', 'an event could not be handled', {}, cause),
      );
    }
  }

  #onLine(line: QmpLine, bytes: number): void {
    if (line.kind === 'event') {
      if (bytes > maxEventBytes)
        throw new ToolError('qmp', 'too-large', `an event of ${bytes} bytes`, { bytes });
      const event = qmpEvent.safeParse(line.raw);
      if (!event.success)
        throw new ToolError(
          'qmp',
          'protocol',
          'an event without a name or a time',
          {},
          event.error,
        );
      this.events.add(event.data);
      this.#onEvent?.(event.data);
      return;
    }
    const pending = this.#pending.get(line.id);
    if (!pending) return;
    if (line.kind === 'return') this.#settle(line.id, { ok: true, value: line.value });
    else {
      const error = commandFailed(pending.command, pending.args, line.error);
      this.#settle(line.id, { ok: false, error });
    }
  }

  #settle(id: unknown, answer: QmpAnswer): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    if (answer.ok) pending.end('ok', JSON.stringify(answer.value) ?? '');
    else pending.end(exitOf(answer.error), answer.error.message);
    pending.settle(answer);
  }
}

function notSent(): ToolError {
  return new ToolError('qmp', 'aborted', 'aborted before anything was sent', { sent: false });
}

/** What the call log shows for an error: QEMU's class if it answered, else our code. */
export function exitOf(error: ToolError): string {
  const { class: errorClass } = error.detail;
  return typeof errorClass === 'string' ? errorClass : error.code;
}
