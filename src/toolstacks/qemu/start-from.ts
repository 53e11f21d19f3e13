import { statSync } from 'node:fs';
import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import { argvOf } from '../../tools/process.ts';
import type { CallContext, DomainDeed } from '../port.ts';
import * as commands from './commands.ts';
import { deviceDigest, nextDigest } from './device-digest.ts';
import { type QemuLife, queryStatus } from './life.ts';
import { queryMigrate, UNDER_WAY } from './run-state.ts';
import { sourceUri } from './sink.ts';
import { start, tail } from './start.ts';
import { until } from './until.ts';

/**
 * Start the domain with saved memory, and leave it standing still. Throws `other-devices` before
 * anything is started, and `bad-memory` where QEMU does not take the file.
 */
export async function startFrom(
  life: QemuLife,
  { heads, memory }: Extract<DomainDeed, { do: 'startFrom' }>,
  context: CallContext,
): Promise<Json> {
  const { monitor, notes } = life;
  const { signal } = context;
  if (nextDigest(life, heads) !== memory.deviceDigest) throw otherDevices(life);
  const logFile = notes.path('log');
  const logFrom = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  await start(life, { heads, paused: true, incoming: true }, context);
  const argv = argvOf(monitor.process()?.pid ?? -1);
  if (argv && !argv.includes('-incoming')) {
    const message = `${life.config.name} runs already, and was not started with saved memory`;
    throw new StepError('already-running', message, { retryable: false });
  }
  if (deviceDigest(life, heads) !== memory.deviceDigest) throw otherDevices(life);
  const [{ status }, migration] = await monitor.ask([queryStatus, queryMigrate], signal);
  if (status === 'inmigrate' && !UNDER_WAY.has(migration.status ?? '')) {
    await monitor.send([commands.migrateIncoming(sourceUri(memory.path))], signal);
  }
  await untilLoaded(life, context, () => tail(logFile, logFrom));
  return { loaded: memory.path };
}

/** A QEMU that cannot load what it is given ends. */
async function untilLoaded(
  life: QemuLife,
  { signal }: CallContext,
  said: () => string,
): Promise<void> {
  const { monitor } = life;
  const ask = async () => {
    if (!(await monitor.reachable(signal))) throw badMemory(said());
    const [{ status, running }, migration] = await monitor.ask([queryStatus, queryMigrate], signal);
    if (migration.status === 'failed') throw badMemory(migration['error-desc'] ?? said());
    if (status === 'inmigrate') return undefined;
    if (running) throw new StepError('not-paused', 'somebody else let the loaded guest run');
    return true;
  };
  try {
    await until(life, ask, { signal, what: 'loading the saved memory' });
  } catch (error) {
    const gone = !(await monitor.reachable(signal).catch(() => true));
    throw gone ? badMemory(said()) : error;
  }
}

const badMemory = (why: string): StepError =>
  new StepError('bad-memory', `QEMU does not take the saved memory: ${why || 'it ended'}`, {
    retryable: false,
  });

function otherDevices({ config }: QemuLife): StepError {
  const message = `the domain file of ${config.name} makes another machine than the one whose memory was saved: its program, arguments or disks differ`;
  return new StepError('other-devices', message, { retryable: false });
}
