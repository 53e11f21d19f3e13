import type { Socket } from 'node:net';
import { armDeadline, type Limits } from './deadline.ts';
import { connectSocket } from './line-socket.ts';
import { printable } from './printable.ts';
import { ToolError, type ToolName } from './tool-error.ts';

/** A guest's serial line that answers commands, a line each (see `src/lab/workload.ts`). */
export interface SerialLine {
  /**
   * Sends `ID COMMAND` and resolves to what follows the same ID in the answer. Commands run one
   * after the other. Throws ToolError: `timeout` (the guest is paused, frozen or gone; the
   * connection stays usable, a late answer is dropped), `aborted`, `closed`, `too-large`.
   */
  ask(command: string, limits?: Limits): Promise<string>;
  close(): void;
}

const tool: ToolName = 'file';
const maxLineBytes = 64 * 1024;

/**
 * Connects to the unix socket of a serial line; `deadlineMs` bounds the connecting, and each command
 * without a deadline of its own. QEMU serves one client at a time: a second one waits, mute.
 * Throws ToolError: `missing`, `refused`, `busy`, `timeout`, `aborted`.
 */
export async function connectSerial(
  path: string,
  options: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
): Promise<SerialLine> {
  return new SocketLine(await connectSocket(tool, path, options), options.deadlineMs);
}

type Waiter = { readonly id: string; resolve: (answer: string) => void };

class SocketLine implements SerialLine {
  readonly #socket: Socket;
  readonly #deadlineMs: number;
  // Answers that an earlier client did not wait for must not look like ours.
  #nextId = Math.floor(Math.random() * 1e6) * 1000;
  #held = '';
  #waiter: Waiter | undefined;
  #rejectWaiter: ((error: ToolError) => void) | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #end: ToolError | undefined;

  constructor(socket: Socket, deadlineMs: number) {
    this.#socket = socket;
    this.#deadlineMs = deadlineMs;
    socket.setEncoding('latin1');
    socket.on('close', () => this.#fail(new ToolError(tool, 'closed', 'the serial line hung up')));
    socket.on('data', chunk => this.#onText(chunk.toString()));
  }

  ask(command: string, limits: Limits = {}): Promise<string> {
    const answer = this.#queue.then(() => this.#askNow(command, limits));
    this.#queue = answer.catch(() => undefined);
    return answer;
  }

  close(): void {
    this.#fail(new ToolError(tool, 'closed', 'the connection was closed by us'));
  }

  #askNow(command: string, limits: Limits): Promise<string> {
    if (this.#end) return Promise.reject(this.#end);
    const id = String(this.#nextId++);
    return new Promise((resolve, reject) => {
      const bounds = { deadlineMs: limits.deadlineMs ?? this.#deadlineMs, signal: limits.signal };
      const settled = () => {
        disarm();
        this.#waiter = undefined;
        this.#rejectWaiter = undefined;
      };
      const disarm = armDeadline(bounds, why => {
        settled();
        const message = `the guest did not answer "${command}" on its serial line`;
        reject(new ToolError(tool, why, message, { command }));
      });
      this.#rejectWaiter = error => {
        settled();
        reject(error);
      };
      this.#waiter = {
        id,
        resolve: answer => {
          settled();
          resolve(answer);
        },
      };
      this.#socket.write(`${id} ${command}\n`);
    });
  }

  #onText(text: string): void {
    const lines = (this.#held + text).split('\n');
    this.#held = lines.pop()!;
    if (this.#held.length > maxLineBytes)
      this.#fail(new ToolError(tool, 'too-large', 'an endless line on the serial line'));
    for (const line of lines) {
      const space = line.indexOf(' ');
      if (this.#waiter === undefined || line.slice(0, space) !== this.#waiter.id) continue;
      this.#waiter.resolve(printable(line.slice(space + 1).trimEnd(), maxLineBytes));
    }
  }

  #fail(error: ToolError): void {
    if (this.#end) return;
    this.#end = error;
    this.#socket.destroy();
    this.#rejectWaiter?.(error);
  }
}
