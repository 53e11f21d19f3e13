import { chownSync, statSync } from 'node:fs';
import { z } from 'zod';
import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import type { CallContext, Capture, DomainDeed } from '../port.ts';
import * as commands from './commands.ts';
import { type Life, queryStatus, takeImagesBack } from './life.ts';
import { sameProcess } from './process.ts';
import type { Query } from './query.ts';
import { type Migration, queryMigrate, UNDER_WAY } from './run-state.ts';
import { emptyReport, readReport, reportPath } from './sink.ts';
import { until } from './until.ts';
import { WriteOut } from './write-out.ts';

type Of<Name extends DomainDeed['do']> = Extract<DomainDeed, { do: Name }>;

export const queryModes: Query<{ capability: string; state: boolean }[]> = {
  command: 'query-migrate-capabilities',
  schema: z.array(z.object({ capability: z.string(), state: z.boolean() })),
};

/** Set QEMU's migration to the capture's mode. Throws `refused` where this QEMU cannot. */
export async function prepareCapture(
  life: Life,
  { capture }: Of<'prepareCapture'>,
  context: CallContext,
): Promise<Json> {
  const { signal } = context;
  const [{ status }, modes] = await life.monitor.ask([queryStatus, queryModes], signal);
  // QEMU saves nothing twice from this state.
  if (status === 'postmigrate') await takeImagesBack(life, signal);
  if (!areSet(modes, capture)) await setModes(life, capture, signal);
  await life.sink.prepare?.(context);
  life.prepared = capture;
  return { prepared: capture };
}

function areSet(modes: z.infer<typeof queryModes.schema>, capture: Capture): boolean {
  const isOn = (name: string) => modes.some(one => one.capability === name && one.state);
  const background = capture === 'background';
  return (
    isOn('background-snapshot') === background && isOn('pause-before-switchover') === !background
  );
}

async function setModes(life: Life, capture: Capture, signal: AbortSignal): Promise<void> {
  if (capture === 'background') refuseBurnt(life);
  await life.monitor.send([commands.captureModes(capture, life.wantsEvents)], signal);
  await life.monitor.send([commands.captureSpeed(true)], signal);
}

/** After a background capture went wrong, the same QEMU process must not try another. */
export function burntBecause({ notes, monitor }: Life): string | null {
  const { burnt } = notes.read();
  return burnt && sameProcess(burnt.process, monitor.process()) ? burnt.why : null;
}

function refuseBurnt(life: Life): void {
  const why = burntBecause(life);
  if (why === null) return;
  throw new StepError('background-burnt', `no background capture now: ${why}`, {
    retryable: false,
  });
}

/** Begin to save memory; taken up where an earlier life left it. */
export async function beginCapture(
  life: Life,
  { capture, path }: Of<'beginCapture'>,
  context: CallContext,
): Promise<Json> {
  const { monitor, notes } = life;
  const { signal } = context;
  if (!(await begun(life, path, signal))) {
    // The guest waits for this: what this life has just set is not asked for.
    if (life.prepared !== capture) {
      await prepareCapture(life, { do: 'prepareCapture', capture }, context);
    }
    life.prepared = undefined;
    makeReport(path);
    notes.write({ capture: { path, mode: capture, process: monitor.process() } });
    await monitor.send([commands.migrate(await life.sink.open(path, context))], signal);
  }
  if (capture === 'background') await untilGuestRuns(life, signal);
  if (capture === 'precopy') await untilConverged(life, path, context);
  return { begun: capture };
}

/** The shell that QEMU starts runs as QEMU's user: the report is to be as the memory file is. */
function makeReport(path: string): void {
  const { uid, gid } = statSync(path, { throwIfNoEntry: false }) ?? missingMemoryFile(path);
  emptyReport(path);
  const made = statSync(reportPath(path));
  if (made.uid !== uid || made.gid !== gid) chownSync(reportPath(path), uid, gid);
}

function missingMemoryFile(path: string): never {
  throw new StepError('missing', `the memory file ${path} does not exist`, { retryable: false });
}

/** Whether this very capture has been begun in this very process. */
async function begun({ notes, monitor }: Life, path: string, signal: AbortSignal) {
  const { capture } = notes.read();
  if (capture?.path !== path || !sameProcess(capture.process, monitor.process())) return false;
  const [{ status }] = await monitor.ask([queryMigrate], signal);
  return (
    UNDER_WAY.has(status ?? '') || (status === 'completed' && readReport(path).state !== 'none')
  );
}

/** QEMU lets the guest run by itself, once it sees every write to the memory. */
async function untilGuestRuns(life: Life, signal: AbortSignal): Promise<void> {
  const ask = async () => {
    const [{ running }, migration] = await life.monitor.ask([queryStatus, queryMigrate], signal);
    if (running) return true;
    if (UNDER_WAY.has(migration.status ?? '')) return undefined;
    if (migration.status === 'completed') return true;
    markBurnt(life, 'a background capture failed in this QEMU process');
    throw notSaved(migration);
  };
  const what = 'waiting for the guest to run while its memory is saved';
  try {
    await until(life, ask, { signal, what, firstMs: 2, withinMs: 20_000 });
  } catch (error) {
    // One that is called off may be all right: cancelCapture lets it run out, and sees what it comes to.
    if (!signal.aborted) {
      markBurnt(life, 'a background capture did not get under way in this QEMU process');
    }
    throw error;
  }
}

/** How long a guest may write its memory faster than it can be saved, before it is stopped for it. */
const CONVERGE_MS = 30_000;

async function untilConverged(
  life: Life,
  path: string,
  { signal, progress }: CallContext,
): Promise<void> {
  const { monitor, clock } = life;
  const forcedAtMs = clock.monotonicMs() + CONVERGE_MS;
  let forced = false;
  const writeOut = new WriteOut(path);
  const ask = async () => {
    writeOut.poke();
    const [migration] = await monitor.ask([queryMigrate], signal);
    report(migration, progress);
    if (migration.status === 'pre-switchover' || migration.status === 'completed') return true;
    if (!UNDER_WAY.has(migration.status ?? '')) throw notSaved(migration);
    const rounds = migration.ram?.['dirty-sync-count'] ?? 0;
    if (!forced && (clock.monotonicMs() >= forcedAtMs || rounds > 20)) {
      forced = true;
      await monitor.send([commands.stop], signal);
    }
    return undefined;
  };
  await until(life, ask, { signal, what: 'saving the memory', firstMs: 5 });
}

/** No background capture is tried again in this process; `why` names what went wrong in it. */
export function markBurnt({ notes, monitor }: Life, what: string): void {
  const process = monitor.process();
  const why = `${what}; a restart of the domain ends that`;
  if (process) notes.write({ burnt: { process, why } });
}

/** Tells how far the memory is saved. */
export function report({ ram }: Migration, progress: CallContext['progress']): void {
  if (ram) progress({ done: ram.total - ram.remaining, total: ram.total, unit: 'bytes' });
}

/** The StepError for a capture that came to nothing. */
export function notSaved(migration: Migration): StepError {
  const why = migration['error-desc'] ?? `the migration is ${migration.status ?? 'not there'}`;
  return new StepError('capture-failed', `the memory was not saved: ${why}`);
}
