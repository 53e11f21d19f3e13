import { createHash } from 'node:crypto';
import type { Json } from './json.ts';
import { redact } from './redact.ts';
import type { ToolName } from './tool-error.ts';

/** One call of one tool, as the audit keeps it. Never holds a secret, nor the answer itself. */
export type ToolCall = {
  readonly tool: ToolName;
  /** argv array, or `{execute, arguments}` */
  readonly command: Json;
  readonly durationMs: number;
  /** `ok`, the tool's error class, an exit code, a signal, or a ToolErrorCode */
  readonly exit: string | number;
  /** first 16 hex digits of the answer's SHA-256 */
  readonly answerDigest: string;
};

/** Receives every call when it ends, well or not. Must not throw. */
export type CallSink = (call: ToolCall) => void;

/** Ends the call that `startCall` began; calls after the first are ignored. */
export type EndCall = (exit: string | number, answer: string | Uint8Array) => void;

/** Starts the clock of one call; the returned function reports it to the sink. */
export function startCall(log: CallSink, tool: ToolName, command: Json): EndCall {
  const startedMs = performance.now();
  let ended = false;
  return (exit, answer) => {
    if (ended) return;
    ended = true;
    log({
      tool,
      command: redact(command),
      durationMs: performance.now() - startedMs,
      exit,
      answerDigest: createHash('sha256').update(answer).digest('hex').slice(0, 16),
    });
  };
}
