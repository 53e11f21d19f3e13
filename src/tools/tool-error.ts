import type { JsonObject } from './json.ts';
import { redact } from './redact.ts';

/** Which kind of client failed. */
export type ToolName = 'qmp' | 'agent' | 'exec' | 'file';

/**
 * How it failed.
 * - `timeout`: no answer in time; whether the command took effect is unknown
 * - `refused`: nothing was done (not a socket, nobody listens, arguments that no tool must get)
 * - `closed`: the connection ended before the answer; whether it took effect is unknown
 * - `protocol`: the answer is not what the tool's documentation promises
 * - `failed`: the tool answered with an error (QMP class and text, exit code, errno in `detail`)
 * - `missing`: the program, socket or file does not exist
 * - `too-large`: more output than is accepted
 * - `aborted`: the caller's signal; whether the command took effect is unknown
 * - `busy`: somebody else holds the monitor or the lock; nothing was done
 */
export type ToolErrorCode =
  | 'timeout'
  | 'refused'
  | 'closed'
  | 'protocol'
  | 'failed'
  | 'missing'
  | 'too-large'
  | 'aborted'
  | 'busy';

/** The one error class of `src/tools/`. `detail` is JSON, holds no secrets, and may be journalled. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
  readonly tool: ToolName;
  readonly code: ToolErrorCode;
  readonly detail: JsonObject;

  constructor(
    tool: ToolName,
    code: ToolErrorCode,
    message: string,
    detail: JsonObject = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.tool = tool;
    this.code = code;
    this.detail = redact(detail) as JsonObject;
  }
}

/** The errno name (`ENOENT`, …) of an error of Node's, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
