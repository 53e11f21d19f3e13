import { lstat, mkdir, open, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StepError } from '../engine/step.ts';
import { fileExists, mustBePlain } from '../tools/file-facts.ts';
import { createFleeting } from '../tools/files.ts';
import { lockedArgv } from '../tools/flock-argv.ts';
import { lockHeld, lockOpenFile } from '../tools/kernel-lock.ts';
import { namedByAProcess } from '../tools/process.ts';
import { type Argv, run } from '../tools/run.ts';
import type { CallContext } from '../toolstacks/port.ts';

/** The engine's own deadline ends a tool by its signal; this is for an engine that has none. */
const LONGEST_MS = 24 * 60 * 60_000;

/** Where locks of devices lie: beside a device node there is no place for them. Gone with the host's power. */
const LOCKS_OF_DEVICES = '/run/domsnap';

/** The file on which a tool holds a kernel lock for as long as it works on an image. */
export const toolLock = (path: string): string =>
  path.startsWith('/dev/')
    ? join(LOCKS_OF_DEVICES, `${path.slice('/dev/'.length).replaceAll('/', ':')}.lock`)
    : join(dirname(path), `.${basename(path)}.domsnap-lock`);

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
  for (const image of images) await prepareLock(image);
  try {
    await run(nested, { timeoutMs: LONGEST_MS, log, signal, lock: outer });
  } finally {
    for (const image of images) await clearAway(image);
  }
}

/**
 * The same for a tool that closes all files but its standard ones when it starts, as LVM's do: the lock is
 * its standard input. It is locked before the tool is there at all.
 */
export async function runLockedByInput(
  argv: Argv,
  image: string,
  { log, signal }: CallContext,
): Promise<void> {
  await prepareLock(image);
  const lock = toolLock(image);
  const file = await open(lock, 'r');
  try {
    await lockOpenFile(file.fd, lock);
    await run(argv, { timeoutMs: LONGEST_MS, log, signal, lockedInput: file.fd });
  } finally {
    await file.close();
    await clearAway(image);
  }
}

/**
 * flock would make it readable for everybody, who could then hold it; and would follow a link. The file
 * need not be durable: it is always empty, and a power cut ends the tool too. `toolAtWork` then finds no
 * file, or one that nobody holds and that it clears away, and both mean that no tool is at work.
 */
async function prepareLock(image: string): Promise<void> {
  if (image.startsWith('/dev/')) await mkdir(LOCKS_OF_DEVICES, { recursive: true, mode: 0o700 });
  const lock = toolLock(image);
  if (await fileExists(lock)) await mustBePlain(lock);
  else await createFleeting(lock, 0o600, () => {});
}

/**
 * Is a tool at work on the image, or about to be? Clears away the lock file that one left which has
 * ended. Not one that flock has opened and is about to lock: a lock on a file without a name would be
 * seen by nobody.
 */
export async function toolAtWork(image: string): Promise<boolean> {
  const found = await lstat(toolLock(image)).catch(() => undefined);
  if (!found?.isFile()) return false;
  return isYoung(found.mtimeMs) || namedByAProcess(toolLock(image)) || (await clearAway(image));
}

/** An engine's child has not become flock yet, whose arguments tell what it is about to lock. */
const isYoung = (madeMs: number): boolean => Math.abs(Date.now() - madeMs) < YOUNG_MS;

const YOUNG_MS = 500;
const POLL_MS = 100;

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

/** Remove the lock file that nobody holds; answers whether somebody does. */
async function clearAway(image: string): Promise<boolean> {
  const lock = toolLock(image);
  if (await lockHeld(lock, () => {})) return true;
  await unlink(lock).catch(() => undefined);
  return false;
}
