import { constants, openSync } from 'node:fs';
import { type Logger, pino } from 'pino';
import type { Journal, JournalRecord, PendingEffect } from '../journal/port.ts';
import type { RunOptions } from '../operations/run-request.ts';
import { misused } from '../plan/refusal.ts';
import type { Invocation } from './invocation.ts';
import { say } from './output.ts';
import { patientWriter } from './patient-writer.ts';

type Observer = NonNullable<RunOptions['observer']>;

/** The log of running operations. */
export interface OpenLog {
  readonly log: Logger;
  /** Wait until it is written, as long as somebody reads it; say what is missing of it. */
  close(): Promise<void>;
}

/** What may wait for a reader: some ten thousand lines. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;
const STILL_MS = 5_000;

/**
 * Logs of running operations, to stderr with --verbose or to --log-file; undefined without either. A line
 * is written at once, since what was logged before a crash is what one wants to read after it; but no
 * reader that does not read makes the engine wait, and beyond a bound lines are dropped.
 * Throws RefusedError (usage) for a file that cannot be written.
 */
export function openLog({ verbose, logFile }: Invocation): OpenLog | undefined {
  if (!verbose && logFile === undefined) return undefined;
  const writer = patientWriter(logFile === undefined ? 2 : openFile(logFile));
  const level = verbose ? 'debug' : 'info';
  let dropped = 0;
  const log = pino({ level, base: { pid: process.pid } }, { write: line => add(line) });
  const add = (line: string): void => {
    if (writer.waitingBytes() + line.length > WAITING_BYTES_MAX) {
      dropped += 1;
      return;
    }
    if (dropped > 0) {
      const lines = dropped;
      dropped = 0;
      log.warn({ lines }, 'lines are missing here: nobody read them');
    }
    writer.write(line);
  };
  return {
    log,
    async close() {
      const read = (await writer.drained(STILL_MS)) && dropped === 0;
      // Who does not read stderr would not read this.
      if (logFile === undefined) return;
      const why = writer.failure()?.message ?? (read ? undefined : 'nobody read it');
      if (why !== undefined) say(`domsnap: the log is not whole: ${why}`);
    },
  };
}

function openFile(logFile: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
  try {
    // To open a pipe that nobody reads would wait for its reader.
    return openSync(logFile, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o600);
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
