import { type Logger, pino } from 'pino';
import type { Journal, JournalRecord, PendingEffect } from '../journal/port.ts';
import type { RunOptions } from '../operations/run-request.ts';
import { misused } from '../plan/refusal.ts';
import type { Invocation } from './invocation.ts';

type Observer = NonNullable<RunOptions['observer']>;

/**
 * Logs of running operations, to stderr with --verbose or to --log-file; undefined without either.
 * Throws RefusedError (usage) for a file that cannot be written.
 */
export function openLog({ verbose, logFile }: Invocation): Logger | undefined {
  if (!verbose && logFile === undefined) return undefined;
  const level = verbose ? 'debug' : 'info';
  try {
    // Written at once: what was logged before a crash is what one wants to read after it.
    const to = pino.destination({ dest: logFile ?? 2, sync: true, mode: 0o600 });
    return pino({ level, base: { pid: process.pid } }, to);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw misused('log-file', `--log-file ${logFile}: ${why}`, 'name a file that can be written');
  }
}

/** Log what an engine tells: one child logger for each operation, and each effect with its key. */
export function logObserver(log: Logger, journal: Pick<Journal, 'operation'>): Observer {
  const children = new Map<string, Logger>();
  const of = (operation: string): Logger => {
    const known = children.get(operation);
    if (known) return known;
    const { subject, caseId } = journal.operation(operation) ?? {};
    const child = log.child({ operation, domain: subject, case: caseId });
    children.set(operation, child);
    return child;
  };
  const ofEffect = ({ key }: PendingEffect) => of(key.split('/')[0] ?? '');
  return {
    recorded(record) {
      logRecord(of(record.operation), record);
    },
    called(effect, { tool, command, durationMs, exit }) {
      const fields = { key: effect.key, step: effect.step, tool, command, durationMs, exit };
      ofEffect(effect).debug(fields, 'tool called');
    },
    progressed(effect, progress) {
      ofEffect(effect).debug({ key: effect.key, step: effect.step, ...progress }, 'progress');
    },
  };
}

function logRecord(log: Logger, { seq, fact, from, to, effects }: JournalRecord): void {
  const [next] = effects;
  const key = next?.key;
  const fields = { seq, fact: fact.type, from, to, ...(key === undefined ? {} : { key }) };
  if (fact.type === 'failed') log.warn({ ...fields, error: fact.error }, 'step failed');
  else if (to === 'needsAttention') log.error(fields, 'needs attention');
  else log.info(fields, 'recorded');
}
