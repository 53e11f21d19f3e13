import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { run } from '../tools/run.ts';
import { log } from './say.ts';

const packageFile = new URL('../../package.json', import.meta.url);
const published = z.object({ bin: z.object({ domsnap: z.string() }) });
const { bin } = published.parse(JSON.parse(readFileSync(packageFile, 'utf8')));

/** The command line as it is published: built, run by this very Node. */
export const CLI = new URL(bin.domsnap, packageFile).pathname;

const COMMAND_MS = 10 * 60_000;

const stepEvent = z.object({
  event: z.literal('step'),
  step: z.string(),
  status: z.string(),
  elapsedMs: z.number().nullable(),
});
const resultEvent = z.object({
  event: z.literal('result'),
  operation: z.string(),
  name: z.string(),
  case: z.string(),
  elapsedMs: z.number(),
});

/** One command that changed a domain, as the outside and as domsnap itself saw it. */
export interface Ran {
  readonly operation: string;
  readonly name: string;
  readonly caseId: string;
  /** From the start of the process to its end. */
  readonly commandMs: number;
  /** By its own word: plan and operation, the process start aside. */
  readonly operationMs: number;
  readonly stepsMs: Readonly<Record<string, number>>;
}

/**
 * Run a command that changes a domain, in a process of its own, so that nothing is warmer than it is
 * for a user. `under`: a tool that watches it. Throws ToolError where it does not exit with 0.
 */
export async function domsnapCommand(
  home: string,
  args: readonly string[],
  under: readonly string[] = [],
): Promise<Ran> {
  const argv = [...under, process.execPath, CLI, ...args, '--json', '--home', home];
  const startedMs = performance.now();
  const { stdout } = await run(argv as [string, ...string[]], { timeoutMs: COMMAND_MS, log });
  const commandMs = performance.now() - startedMs;
  const events = stdout
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as unknown);
  const result = resultEvent.parse(events.at(-1));
  const steps = events.flatMap(event => stepEvent.safeParse(event).data ?? []);
  return {
    operation: result.operation,
    name: result.name,
    caseId: result.case,
    commandMs,
    operationMs: result.elapsedMs,
    stepsMs: Object.fromEntries(
      steps.flatMap(({ step, status, elapsedMs }) =>
        status === 'done' && elapsedMs !== null ? [[step, elapsedMs]] : [],
      ),
    ),
  };
}
