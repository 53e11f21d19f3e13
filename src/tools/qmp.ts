import { z } from 'zod';
import { type CallSink, startCall } from './call-log.ts';
import { armDeadline, type Limits } from './deadline.ts';
import type { JsonObject } from './json.ts';
import { connectSocket } from './line-socket.ts';
import { type QmpAnswer, type QmpCommand, QmpConnection } from './qmp-connection.ts';
import type { EventCursor, QmpEvent } from './qmp-events.ts';
import { type QemuVersion, qmpGreeting } from './qmp-protocol.ts';
import { waitsForAnother } from './socket-owner.ts';
import { ToolError } from './tool-error.ts';

export type { QmpAnswer, QmpCommand } from './qmp-connection.ts';
export type { EventCursor, QmpEvent } from './qmp-events.ts';
export type { QemuVersion } from './qmp-protocol.ts';

/** A monitor of a running QEMU. After `timeout` and `aborted` it is closed: connect anew. */
export interface Qmp {
  readonly version: QemuVersion;
  /** The error that ended the connection, or undefined while it can be used. */
  readonly end: ToolError | undefined;
  /**
   * Runs one command and parses its answer. Commands may overlap; QEMU runs them in order.
   * Throws ToolError: `failed` (QEMU's `class` and `desc` in the detail), `protocol` (the answer
   * does not fit the schema), `timeout`, `aborted` (both close the connection, since a late answer
   * could be confused with another's), `closed`, `too-large`.
   */
  execute<T>(schema: z.ZodType<T>, command: string, args?: JsonObject, limits?: Limits): Promise<T>;
  /**
   * Sends all commands in one write, so that nothing of ours lies between them; QEMU runs them in
   * order, and those behind a failed one too. Never rejects: every command has its answer.
   */
  pipeline(commands: readonly QmpCommand[], limits?: Limits): Promise<QmpAnswer[]>;
  /** A cursor behind the newest event: take it before the command whose event is to be awaited. */
  mark(): EventCursor;
  /**
   * The first event behind `since` (default: now) that matches. The last 1000 events are kept; if
   * older ones behind `since` were dropped it throws `too-large`, and the state must be asked for.
   * Throws `timeout` and `aborted` too; these leave the connection open.
   */
  waitFor(
    matches: (event: QmpEvent) => boolean,
    limits: Limits & { readonly since?: EventCursor | undefined },
  ): Promise<QmpEvent>;
  close(): void;
}

/** Where and how to connect. `deadlineMs` bounds the handshake, and each command without its own. */
export type QmpOptions = {
  readonly path: string;
  readonly deadlineMs: number;
  readonly log: CallSink;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: QmpEvent) => void) | undefined;
};

/**
 * Connects to a monitor and leaves its capabilities negotiation.
 * Throws ToolError: `missing`, `refused` (not a socket, nobody listens), `busy` (another client
 * holds the monitor: QEMU serves one at a time per socket), `timeout`, `protocol`, `closed`,
 * `too-large`, `aborted`.
 */
export async function connectQmp(options: QmpOptions): Promise<Qmp> {
  const end = startCall(options.log, 'qmp', { connect: options.path });
  const untilMs = performance.now() + options.deadlineMs;
  try {
    const socket = await connectSocket('qmp', options.path, options);
    const connection = new QmpConnection(socket, options.log, options.onEvent);
    const version = await handshake(connection, options, untilMs);
    end('ok', JSON.stringify(version));
    return qmpOver(connection, version, options.deadlineMs);
  } catch (error) {
    end(error instanceof ToolError ? error.code : 'bug', String(error));
    throw error;
  }
}

async function handshake(
  connection: QmpConnection,
  { path, signal }: QmpOptions,
  untilMs: number,
): Promise<QemuVersion> {
  const left = () => untilMs - performance.now();
  const disarm = armDeadline({ deadlineMs: left(), signal }, why =>
    connection.fail(why === 'timeout' ? noGreeting(path) : abortedAt(path)),
  );
  const first = await connection.greeting().finally(disarm);
  const greeting = qmpGreeting.safeParse(first);
  if (!greeting.success) {
    const error = new ToolError('qmp', 'protocol', `${path} is not a QMP monitor`, { path });
    connection.fail(error);
    throw error;
  }
  const limits = { deadlineMs: left(), signal };
  const [answer] = await connection.send([{ command: 'qmp_capabilities' }], limits);
  if (answer && !answer.ok) {
    connection.fail(answer.error);
    throw answer.error;
  }
  const { qemu, package: packageName } = greeting.data.QMP.version;
  return { ...qemu, package: packageName };
}

function qmpOver(connection: QmpConnection, version: QemuVersion, deadlineMs: number): Qmp {
  const bounded = (limits: Limits | undefined): Limits => ({
    deadlineMs: limits?.deadlineMs ?? deadlineMs,
    signal: limits?.signal,
  });
  return {
    version,
    get end() {
      return connection.end;
    },
    execute: async (schema, command, args, limits) => {
      const [answer] = await connection.send([{ command, args }], bounded(limits));
      if (!answer?.ok) throw answer?.error;
      return parseAnswer(schema, command, answer.value);
    },
    pipeline: (commands, limits) => connection.send(commands, bounded(limits)),
    mark: () => connection.events.mark(),
    waitFor: (matches, limits) => connection.events.waitFor(matches, limits),
    close: () => connection.fail(new ToolError('qmp', 'closed', 'the connection was closed by us')),
  };
}

/** Parses the value of an answer. Throws ToolError `protocol` that says where it does not fit. */
export function parseAnswer<T>(schema: z.ZodType<T>, command: string, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = z.prettifyError(parsed.error).slice(0, 1000);
  const message = `the answer to ${command} is not what QEMU documents:\n${issues}`;
  throw new ToolError('qmp', 'protocol', message, { command, issues }, parsed.error);
}

function noGreeting(path: string): ToolError {
  if (waitsForAnother(path)) {
    const message = `another client holds the monitor ${path}: QEMU serves one client at a time per socket; disconnect it, or give domsnap a socket of its own`;
    return new ToolError('qmp', 'busy', message, { path });
  }
  return new ToolError('qmp', 'timeout', `no QMP greeting on ${path} in time`, { path });
}

function abortedAt(path: string): ToolError {
  return new ToolError('qmp', 'aborted', `aborted while connecting to ${path}`, { path });
}
