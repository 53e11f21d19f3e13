import type { CallSink } from '../tools/call-log.ts';
import { type Argv, type RunResult, run } from '../tools/run.ts';

/** What the lab's parts need to run programs: where calls are reported, and when to stop. */
export type LabTools = {
  readonly log: CallSink;
  readonly signal?: AbortSignal | undefined;
};

// The longest call is the download of the kernel's package (27 MB).
const timeoutMs = 5 * 60_000;

/** Runs one of the lab's programs, five minutes at most. Throws ToolError as `run` does. */
export function runLabTool(tools: LabTools, argv: Argv, cwd?: string): Promise<RunResult> {
  return run(argv, { timeoutMs, log: tools.log, signal: tools.signal, cwd });
}
