import { stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StepError } from '../engine/step.ts';
import { lockedArgv } from '../tools/flock-argv.ts';
import { lockHeld } from '../tools/kernel-lock.ts';
import { type Argv, run } from '../tools/run.ts';
import type { CallContext } from '../toolstacks/port.ts';

/** The engine's own deadline ends a tool by its signal; this is for an engine that has none. */
const LONGEST_MS = 24 * 60 * 60_000;

/** The file on which a tool holds a kernel lock for as long as it works on an image. */
export const toolLock = (path: string): string =>
  join(dirname(path), `.${basename(path)}.domsnap-lock`);

/**
 * Run a tool that may outlive its engine, under the locks of the images that it works on: whoever
 * comes next sees by `toolAtWork` that it still runs. The lock files are gone afterwards.
 * Throws ToolError as `run`; `busy` where another tool holds the lock.
 */
export async function runLocked(
  argv: Argv,
  images: readonly [string, ...string[]],
  context: CallContext,
): Promise<void> {
  const [outer, ...inner] = images.map(toolLock) as [string, ...string[]];
  // flock becomes the next flock and at last the tool: all locks live exactly as long as it does.
  const nested = inner.reduceRight<Argv>((rest, lock) => lockedArgv(lock, rest), argv);
  const { log, signal } = context;
  try {
    await run(nested, { timeoutMs: LONGEST_MS, log, signal, lock: outer });
  } finally {
    for (const image of images) await clearAway(image, 0);
  }
}

/**
 * Is a tool at work on the image? Clears away the lock file that one left which has ended. A young
 * file stays: flock opens it a moment before it locks it, and a lock on a file without a name would
 * be seen by nobody.
 */
export function toolAtWork(image: string): Promise<boolean> {
  return clearAway(image, YOUNG_MS);
}

const YOUNG_MS = 10_000;
const POLL_MS = 300;

/**
 * Wait for tools that outlived their engine: they do what the next one would do, and the image cannot
 * be read while they write to it. Throws StepError `busy` where they are still at work when `signal`
 * fires.
 */
export async function toolsDone(
  images: readonly string[],
  { signal }: Pick<CallContext, 'signal'>,
): Promise<void> {
  for (const image of images) {
    while (await toolAtWork(image)) {
      if (signal.aborted) throw new StepError('busy', `a tool is still at work on ${image}`);
      await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

async function clearAway(image: string, youngMs: number): Promise<boolean> {
  const lock = toolLock(image);
  const found = await stat(lock).catch(() => undefined);
  if (!found) return false;
  if (await lockHeld(lock, () => {})) return true;
  if (Date.now() - found.mtimeMs >= youngMs) await unlink(lock).catch(() => undefined);
  return false;
}
