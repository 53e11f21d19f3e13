import { z } from 'zod';
import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import type { CallContext, RunState } from '../port.ts';
import * as commands from './commands.ts';
import { type Life, queryStatus, takeImagesBack } from './life.ts';
import type { NotesContent } from './notes.ts';
import type { Query } from './query.ts';
import { until } from './until.ts';

/** What is known of a migration; QEMU answers `{}` where there never was one. */
export interface Migration {
  readonly status?: string | undefined;
  readonly 'error-desc'?: string | undefined;
  readonly 'blocked-reasons'?: readonly string[] | undefined;
  readonly ram?:
    | { readonly total: number; readonly remaining: number; readonly 'dirty-sync-count': number }
    | undefined;
}

export const queryMigrate: Query<Migration> = {
  command: 'query-migrate',
  schema: z.object({
    status: z.string().optional(),
    'error-desc': z.string().optional(),
    'blocked-reasons': z.array(z.string()).optional(),
    ram: z
      .object({ total: z.number(), remaining: z.number(), 'dirty-sync-count': z.number() })
      .optional(),
  }),
};

/** How the domain stands, with QEMU's own word for it. */
export async function runStateOf(
  life: Life,
  { signal }: CallContext,
): Promise<{ runState: RunState; rawState: string }> {
  const { monitor, notes } = life;
  const answers = await orOff(() => monitor.ask([queryStatus, queryMigrate], signal), null);
  if (!answers) return { runState: 'off', rawState: 'off' };
  const [{ status, running }, migration] = answers;
  const migrating = UNDER_WAY.has(migration.status ?? '');
  const foreign = migrating && !savingOwn(notes.read());
  const rawState = migrating ? `${status}, migration ${migration.status}` : status;
  if (foreign) return { runState: 'other', rawState };
  if (running) return { runState: status === 'running' ? 'running' : 'other', rawState };
  return { runState: STANDING.has(status) ? 'paused' : 'other', rawState };
}

/** What is answered, or `off` where the domain is off, or goes off while it is asked. */
export async function orOff<T, Off>(ask: () => Promise<T>, off: Off): Promise<T | Off> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof StepError && error.code === 'off') return off;
    throw error;
  }
}

/** Whether a capture of domsnap's own has been begun, and not ended. */
const savingOwn = ({ capture }: NotesContent): boolean => !!capture && !capture.result;

/** A migration that has not come to its end. */
export const UNDER_WAY: ReadonlySet<string> = new Set([
  'setup',
  'active',
  'pre-switchover',
  'device',
  'cancelling',
  'wait-unplug',
  'postcopy-active',
  'postcopy-paused',
  'postcopy-recover',
  'colo',
]);

/** The states from which `cont` lets the guest run, and in which nothing else is going on. */
const STANDING: ReadonlySet<string> = new Set([
  'paused',
  'prelaunch',
  'postmigrate',
  'finish-migrate',
]);

/**
 * Stop the processors, and see that they stand. Drains and flushes the disks; behind a migration it
 * locks the images again, which QEMU does only by letting the guest run for an instant.
 */
export async function pause(life: Life, { signal }: CallContext): Promise<Json> {
  const { monitor } = life;
  const [, status] = await monitor.send([commands.stop, queryStatus], signal);
  const state = queryStatus.schema.parse(status);
  if (state.status === 'postmigrate') {
    await takeImagesBack(life, signal);
    return { status: 'paused' };
  }
  if (!state.running) return { status: state.status };
  throw new StepError('not-paused', 'somebody else let the guest run again at once');
}

/**
 * Let the guest run, and see that it does. A capture that holds it at its switchover is given up for
 * that: QEMU lets it run only then.
 */
export function resume(life: Life, { signal }: CallContext): Promise<Json> {
  return orOff(() => letRun(life, signal), { status: 'off' });
}

async function letRun(life: Life, signal: AbortSignal, again = true): Promise<Json> {
  const { monitor, notes } = life;
  // The guest waits: it is let run before anything is asked.
  const [went, asked] = await monitor.try([commands.cont, queryStatus], signal);
  if (!asked?.ok) {
    // QEMU was started anew since it was spoken to last, or has gone off.
    if (asked?.error.code === 'closed' && again) return letRun(life, signal, false);
    throw asked?.error;
  }
  const state = queryStatus.schema.parse(asked.value);
  if (state.running) return { status: state.status };
  if (again && state.status === 'finish-migrate' && savingOwn(notes.read())) {
    await cancelMigration(life, signal, 'giving the capture up');
    return letRun(life, signal, false);
  }
  if (!went?.ok) throw went?.error;
  throw new StepError('not-running', `the guest stands still again at once: ${state.status}`);
}

/** A migration that is cancelled ends within milliseconds, but where the host is busy. */
const USUAL_MS = 3_000;

/**
 * Cancel the migration that saves memory, and wait for its end. QEMU 7.2 waits at the switch-over for good where
 * it is told so between its looking whether it has been told and its beginning to wait
 * (migration_maybe_pause): then it is told to go on, which it does to its end. Throws StepError `timeout`.
 */
export async function cancelMigration(
  life: Pick<Life, 'clock' | 'monitor'>,
  signal: AbortSignal,
  what: string,
): Promise<void> {
  const { monitor } = life;
  const ended = async () => {
    const [{ status = 'none' }] = await monitor.ask([queryMigrate], signal);
    return UNDER_WAY.has(status) ? undefined : true;
  };
  await monitor.send([commands.migrateCancel], signal);
  try {
    await until(life, ended, { signal, what, firstMs: 2, withinMs: USUAL_MS });
  } catch (error) {
    if (!(error instanceof StepError && error.code === 'timeout')) throw error;
    // Where it does not wait this does nothing.
    await monitor.send([commands.migrateWake], signal).catch(() => undefined);
    await until(life, ended, { signal, what, firstMs: 2, withinMs: 30_000 });
  }
}
