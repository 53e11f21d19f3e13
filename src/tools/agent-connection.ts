import { randomInt } from 'node:crypto';
import type { Socket } from 'node:net';
import { z } from 'zod';
import { armDeadline, type Limits } from './deadline.ts';
import type { JsonObject } from './json.ts';
import { agentLineBytes, JsonLines } from './json-lines.ts';
import { printable } from './printable.ts';
import { waitsForAnother } from './socket-owner.ts';
import { ToolError } from './tool-error.ts';

// In both directions 0xFF, which no JSON holds, means "forget what came before"
// (qemu-guest-agent, guest-sync-delimited).
const sentinel = 0xff;

/** Old answers that are read and thrown away before the guest counts as flooding us. */
const maxGarbageBytes = 1024 * 1024;

const answerError = z.object({ error: z.object({ class: z.string(), desc: z.string() }) });

type Waiter = { resolve: (value: unknown) => void; reject: (error: ToolError) => void };

/** The wire of one guest agent: one command at a time, everything that comes in bounded. */
export class AgentConnection {
  readonly #socket: Socket;
  readonly #path: string;
  #lines = new JsonLines('agent', agentLineBytes);
  #syncId: number | undefined;
  #garbageBytes = 0;
  #waiter: Waiter | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #end: ToolError | undefined;

  constructor(socket: Socket, path: string) {
    this.#socket = socket;
    this.#path = path;
    socket.on('close', () => this.fail(new ToolError('agent', 'closed', 'the agent hung up')));
    socket.on('data', chunk => this.#onData(chunk));
  }

  /** Ends the connection; what waits, now or later, fails with `error`. */
  fail(error: ToolError): void {
    if (this.#end) return;
    this.#end = error;
    this.#socket.destroy();
    this.#waiter?.reject(error);
    this.#waiter = undefined;
  }

  /** Ends the connection over an answer that is not what was asked for; returns the error. */
  distrust(command: string, cause: unknown): ToolError {
    const message = `the agent's answer to ${command} is not what its protocol says`;
    const error = new ToolError('agent', 'protocol', message, { command }, cause);
    this.fail(error);
    return error;
  }

  /** Makes the agent and us agree on where its next answer begins. */
  async sync(limits: Limits): Promise<void> {
    const id = randomInt(1, 2 ** 31);
    this.#syncId = id;
    const line = { execute: 'guest-sync-delimited', arguments: { id } };
    await this.#ask(Buffer.concat([Buffer.of(sentinel), encode(line)]), line.execute, limits);
  }

  /** Runs one command behind those before it; the value is not yet checked. */
  execute(line: JsonObject & { readonly execute: string }, limits: Limits): Promise<unknown> {
    const result = this.#queue.then(() => this.#ask(encode(line), line.execute, limits));
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #ask(bytes: Buffer, command: string, limits: Limits): Promise<unknown> {
    if (this.#end) return Promise.reject(this.#end);
    if (limits.signal?.aborted)
      return Promise.reject(
        new ToolError('agent', 'aborted', 'aborted before anything was sent', { sent: false }),
      );
    return new Promise((resolve, reject) => {
      const disarm = armDeadline(limits, why => this.fail(this.#noAnswer(command, why)));
      const done =
        <A>(settle: (result: A) => void) =>
        (result: A) => {
          disarm();
          this.#waiter = undefined;
          settle(result);
        };
      this.#waiter = { resolve: done(resolve), reject: done(reject) };
      this.#socket.write(bytes);
    });
  }

  #noAnswer(command: string, why: 'timeout' | 'aborted'): ToolError {
    const detail = { command, path: this.#path };
    if (why === 'timeout' && this.#syncId !== undefined && waitsForAnother(this.#path)) {
      const message = `another client holds the agent's socket ${this.#path}: it serves one at a time`;
      return new ToolError('agent', 'busy', message, detail);
    }
    const message = `${command}: no answer (${why}); the connection is closed, and whether it took effect is unknown`;
    return new ToolError('agent', why, message, detail);
  }

  #onData(chunk: Buffer): void {
    try {
      const rest = this.#syncId === undefined ? chunk : this.#dropGarbage(chunk);
      for (const { value } of this.#lines.push(rest)) {
        if (this.#end) return;
        this.#onLine(value);
      }
    } catch (error) {
      // While we synchronise, broken lines are what another client left behind.
      const stale = this.#syncId !== undefined && error instanceof ToolError;
      if (stale) this.#lines = new JsonLines('agent', agentLineBytes);
      else this.fail(error as ToolError);
    }
  }

  /** While we synchronise: what follows the last sentinel, if there is one. */
  #dropGarbage(chunk: Buffer): Buffer {
    this.#garbageBytes += chunk.length;
    if (this.#garbageBytes > maxGarbageBytes)
      this.fail(new ToolError('agent', 'too-large', 'the agent floods us', { maxGarbageBytes }));
    const last = chunk.lastIndexOf(sentinel);
    if (last < 0) return chunk;
    this.#lines = new JsonLines('agent', agentLineBytes);
    return chunk.subarray(last + 1);
  }

  #onLine(value: unknown): void {
    const answer = typeof value === 'object' && value !== null ? value : {};
    if (this.#syncId !== undefined) {
      // Anything else is an answer to a command of an earlier client.
      if (!('return' in answer) || answer.return !== this.#syncId) return;
      this.#syncId = undefined;
    }
    if (!this.#waiter) throw new ToolError('agent', 'protocol', 'an answer that nobody asked for');
    if ('return' in answer) {
      this.#waiter.resolve(answer.return);
      return;
    }
    const failed = answerError.safeParse(answer);
    if (!failed.success) throw new ToolError('agent', 'protocol', 'neither a value nor an error');
    const desc = printable(failed.data.error.desc, 1000);
    const detail = { class: printable(failed.data.error.class, 100), desc };
    this.#waiter.reject(new ToolError('agent', 'failed', desc, detail));
  }
}

function encode(line: JsonObject): Buffer {
  return Buffer.from(`${JSON.stringify(line)}\n`);
}
