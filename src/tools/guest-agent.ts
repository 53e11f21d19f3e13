import { z } from 'zod';
import { AgentConnection } from './agent-connection.ts';
import { type CallSink, startCall } from './call-log.ts';
import type { Limits } from './deadline.ts';
import type { JsonObject } from './json.ts';
import { connectSocket } from './line-socket.ts';
import { printable } from './printable.ts';
import { ToolError } from './tool-error.ts';

// The agent runs inside the guest: whatever it answers is bounded here. 1000 filesystems
// are more than any guest has.

/** How many file systems were frozen or thawed. */
export const fileSystemCount = z.number().int().min(0).max(1000);
/** The answer to `guest-fsfreeze-status`. */
export const freezeStatus = z.enum(['thawed', 'frozen']);
const shortText = z.string().transform(text => printable(text, 100));
/** The answer to `guest-info`, as far as it is of use; every text of it may be shown. */
export const guestInfo = z.lazy(() =>
  z.object({
    version: shortText,
    supported_commands: z.array(z.object({ name: shortText, enabled: z.boolean() })).max(1000),
  }),
);

/** What an agent says of itself. */
export type AgentInfo = { readonly version: string; readonly enabledCommands: readonly string[] };

/**
 * A guest's agent. Commands run one after the other, since its answers carry no ids; after
 * `timeout`, `aborted`, `protocol` and `too-large` the connection is closed: connect anew, which
 * discards what the guest may still answer. Every method throws ToolError: `failed` (class and desc
 * in the detail), `timeout`, `aborted`, `closed`, `protocol`, `too-large`.
 */
export interface GuestAgent {
  ping(limits?: Limits): Promise<void>;
  fsfreezeStatus(limits?: Limits): Promise<'thawed' | 'frozen'>;
  /** Freezes all filesystems, or those mounted at `mountpoints`; returns how many it froze. */
  freeze(mountpoints?: readonly string[], limits?: Limits): Promise<number>;
  /**
   * Thaws all; returns how many it thawed. Fewer than were frozen means that the freeze did not
   * hold until now. Works on a new connection, whoever froze.
   */
  thaw(limits?: Limits): Promise<number>;
  info(limits?: Limits): Promise<AgentInfo>;
  close(): void;
}

/** Where the agent's socket is. `deadlineMs` bounds the handshake, and each command without its own. */
export type AgentOptions = {
  readonly path: string;
  readonly deadlineMs: number;
  readonly log: CallSink;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Connects to qemu-guest-agent and synchronises with it (`guest-sync-delimited`: what an earlier
 * client left in the channel is discarded).
 * Throws ToolError: `missing`, `refused`, `busy` (another client holds the socket), `timeout` (no
 * agent runs in the guest, or the guest is stopped), `aborted`, `closed`, `too-large`.
 */
export async function connectAgent(options: AgentOptions): Promise<GuestAgent> {
  const { path, deadlineMs, log } = options;
  const end = startCall(log, 'agent', { connect: path });
  const untilMs = performance.now() + deadlineMs;
  try {
    const socket = await connectSocket('agent', path, options);
    const connection = new AgentConnection(socket, path);
    await connection.sync({ deadlineMs: untilMs - performance.now(), signal: options.signal });
    end('ok', '');
    return agentOver(connection, log, deadlineMs);
  } catch (error) {
    end(error instanceof ToolError ? error.code : 'bug', String(error));
    throw error;
  }
}

function agentOver(connection: AgentConnection, log: CallSink, deadlineMs: number): GuestAgent {
  async function execute<T>(
    schema: z.ZodType<T>,
    command: string,
    args: JsonObject | undefined,
    limits: Limits | undefined,
  ): Promise<T> {
    const line = args ? { execute: command, arguments: args } : { execute: command };
    const end = startCall(log, 'agent', line);
    const bounds = { deadlineMs: limits?.deadlineMs ?? deadlineMs, signal: limits?.signal };
    try {
      const value = await connection.execute(line, bounds);
      const parsed = schema.safeParse(value);
      if (!parsed.success) throw connection.distrust(command, parsed.error);
      end('ok', JSON.stringify(value));
      return parsed.data;
    } catch (error) {
      end(error instanceof ToolError ? error.code : 'bug', String(error));
      throw error;
    }
  }
  return {
    ping: async limits => {
      await execute(z.object({}), 'guest-ping', undefined, limits);
    },
    fsfreezeStatus: limits => execute(freezeStatus, 'guest-fsfreeze-status', undefined, limits),
    freeze: (mountpoints, limits) =>
      mountpoints
        ? execute(fileSystemCount, 'guest-fsfreeze-freeze-list', { mountpoints }, limits)
        : execute(fileSystemCount, 'guest-fsfreeze-freeze', undefined, limits),
    thaw: limits => execute(fileSystemCount, 'guest-fsfreeze-thaw', undefined, limits),
    info: async limits => {
      const info = await execute(guestInfo, 'guest-info', undefined, limits);
      const enabled = info.supported_commands.filter(command => command.enabled);
      return { version: info.version, enabledCommands: enabled.map(command => command.name) };
    },
    close: () =>
      connection.fail(new ToolError('agent', 'closed', 'the connection was closed by us')),
  };
}
