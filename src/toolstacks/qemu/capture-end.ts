import { readFileSync, statSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import { freeBytes } from '../../tools/file-facts.ts';
import { fsyncFile } from '../../tools/files.ts';
import { argvOf, pids, terminate } from '../../tools/process.ts';
import type { CallContext, CaptureResult, DomainDeed } from '../port.ts';
import { markBurnt, notSaved, report } from './capture.ts';
import * as commands from './commands.ts';
import { type Life, queryStatus, takeImagesBack } from './life.ts';
import { processOf, type QemuProcess, sameProcess } from './process.ts';
import { cancelMigration, queryMigrate, UNDER_WAY } from './run-state.ts';
import { readReport, removeReport } from './sink.ts';
import { until } from './until.ts';
import { WriteOut } from './write-out.ts';

type Of<Name extends DomainDeed['do']> = Extract<DomainDeed, { do: Name }>;

const FAILED = 'a background capture failed in this QEMU process';

/**
 * Wait until the memory is saved, whole and on disk. Behind an ordinary migration QEMU holds no image
 * locks until it is told to run, or by the pause deed to stand still: one of them follows at once.
 */
export async function finishCapture(
  life: Life,
  { capture, path }: Of<'finishCapture'>,
  context: CallContext,
): Promise<Json> {
  const { notes } = life;
  const known = notes.read().capture;
  if (known?.path === path && known.result) return await stillThere(path, known.result);
  await untilSaved(life, path, context);
  const sha256 = await untilReported(life, path, context);
  // The sink must not sync: QEMU stands still in waitpid(2) until it ends.
  await fsyncFile(path, context.log);
  const result = { bytes: statSync(path).size, sha256 };
  await endModes(life, context.signal);
  notes.write({ capture: { path, mode: capture, process: life.monitor.process(), result } });
  removeReport(path);
  return result;
}

async function stillThere(path: string, result: CaptureResult): Promise<Json> {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size;
  if (bytes === result.bytes) return { ...result };
  throw new StepError('capture-lost', `the saved memory ${path} has changed since`, {
    retryable: false,
  });
}

async function untilSaved(life: Life, path: string, { signal, progress }: CallContext) {
  const { monitor, notes } = life;
  const { capture } = notes.read();
  if (capture?.path !== path || !sameProcess(capture.process, monitor.process())) {
    const message = `the QEMU that was saving its memory to ${path} is not there any more`;
    throw new StepError('capture-lost', message, { retryable: false });
  }
  const writeOut = new WriteOut(path);
  const ask = async () => {
    writeOut.poke();
    const [migration] = await monitor.ask([queryMigrate], signal);
    report(migration, progress);
    if (migration.status === 'completed') return true;
    if (migration.status === 'pre-switchover') {
      // An earlier round has told it to go on, and it may have done so since it was asked.
      const [answer] = await monitor.try([commands.migrateOn], signal);
      if (answer && !answer.ok && answer.error.code !== 'failed') throw answer.error;
    } else if (!UNDER_WAY.has(migration.status ?? '')) {
      if (capture?.mode === 'background') markBurnt(life, FAILED);
      throw notSaved(migration);
    }
    return undefined;
  };
  await until(life, ask, { signal, what: 'saving the memory', firstMs: 2 });
  await writeOut.settle();
}

/** QEMU says `completed` a moment before the sink has read its last byte. */
async function untilReported(life: Life, path: string, { signal }: CallContext): Promise<string> {
  const ask = async () => {
    const said = readReport(path);
    if (said.state === 'done') return said.sha256;
    if (said.state === 'failed') throw await notWritten(path);
    return undefined;
  };
  const what = `waiting for the last bytes of ${path}`;
  return await until(life, ask, { signal, what, firstMs: 2, withinMs: 30_000 });
}

/** What was saved is of no use any more. A path that cannot be cut takes no room. */
function makeRoom(path: string): void {
  try {
    truncateSync(path);
  } catch {
    // The capture has failed already, and is told as such.
  }
}

async function notWritten(path: string): Promise<StepError> {
  const folder = dirname(path);
  const left = await freeBytes(folder).catch(() => Number.POSITIVE_INFINITY);
  // The guest may wait for this very room to write to its disks: it cannot run before it has it.
  makeRoom(path);
  return left < 1024 * 1024
    ? new StepError('no-space', `the file system of ${folder} is full: the memory was not saved`)
    : new StepError('capture-failed', `the memory could not be written to ${path}`);
}

/** Call a capture off; the guest is left as QEMU leaves it, which may be standing or running. */
export async function cancelCapture(
  life: Life,
  { capture, path }: Of<'cancelCapture'>,
  context: CallContext,
): Promise<Json> {
  const { monitor, notes } = life;
  const begun = notes.read().capture;
  if (!(await monitor.reachable(context.signal))) {
    // By its own name: what was noted of the capture may have been lost with the host.
    removeReport(path);
    notes.write({ capture: undefined });
    return { was: 'off' };
  }
  const [{ status = 'none' }] = await monitor.ask([queryMigrate], context.signal);
  if (begun && status === 'failed' && begun.mode === 'background') markBurnt(life, FAILED);
  if (begun && UNDER_WAY.has(status)) {
    if (capture === 'background') await runOut(life, begun.path, context);
    else await cancelMigration(life, context.signal, 'calling the saving of the memory off');
  }
  await leaveMigration(life, context.signal);
  await life.sink.abandon?.(monitor, context.signal);
  notes.write({ capture: undefined });
  removeReport(path);
  return { was: status };
}

/**
 * A background capture is never cancelled: QEMU 7.2 would leave the memory write-protected, and hang
 * with its guest at the next write. It runs out instead, into nothing, which is quick: the tools that
 * write and digest are ended, and the sink only reads on.
 */
async function runOut(life: Life, path: string, { signal, log }: CallContext): Promise<void> {
  const roots = life.sink.roots(path, life.monitor.process()?.pid ?? null);
  for (const tool of roots.flatMap(root => sinkTools(root, path))) {
    await terminate(tool.pid, tool.startTicks, { graceMs: 1_000, log }).catch(() => undefined);
  }
  try {
    const status = await ended(life, signal, 'letting the background capture run out', 50_000);
    if (status !== 'completed') markBurnt(life, FAILED);
  } catch (error) {
    markBurnt(life, 'a background capture could not be ended in this QEMU process');
    throw error;
  }
}

/** The processes of the sink that only the file needs. */
function sinkTools(root: number, path: string): QemuProcess[] {
  const childrenOf = new Map<number, number[]>();
  for (const one of pids()) {
    const parent = parentOf(one);
    if (parent !== null) childrenOf.set(parent, [...(childrenOf.get(parent) ?? []), one]);
  }
  const below = (one: number): number[] => {
    const children = childrenOf.get(one) ?? [];
    return [...children, ...children.flatMap(below)];
  };
  return below(root).flatMap(one => {
    const argv = argvOf(one) ?? [];
    const isSink = (argv[0] === 'tee' && argv.includes(path)) || argv[0] === 'sha256sum';
    const found = isSink ? processOf(one) : null;
    return found ? [found] : [];
  });
}

function parentOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return null;
  }
}

/** Wait for the end of the migration. Answers what it has come to, in QEMU's word. */
async function ended(life: Life, signal: AbortSignal, what: string, withinMs: number) {
  const ask = async () => {
    const [{ status = 'none' }] = await life.monitor.ask([queryMigrate], signal);
    return UNDER_WAY.has(status) ? undefined : status;
  };
  return until(life, ask, { signal, what, firstMs: 5, withinMs });
}

/** As QEMU was before: no modes set, and behind a saved memory its images locked again. */
async function leaveMigration(life: Life, signal: AbortSignal): Promise<void> {
  const [{ status }] = await life.monitor.ask([queryStatus], signal);
  if (status === 'postmigrate') await takeImagesBack(life, signal);
  await endModes(life, signal);
}

async function endModes(life: Life, signal: AbortSignal): Promise<void> {
  life.prepared = undefined;
  await life.monitor.send(
    [commands.captureModes(null, life.wantsEvents), commands.captureSpeed(false)],
    signal,
  );
}
