import { type Report, type RunOptions, runRequest } from '../operations/run-request.ts';
import type { Session } from '../operations/session.ts';
import { checkName } from '../plan/names.ts';
import type { Request } from '../plan/request.ts';
import { EXIT, type Exit } from './exit-codes.ts';
import { failureOf, tellFailure } from './failure.ts';
import type { Invocation } from './invocation.ts';
import { knowing } from './newcomer.ts';
import { withSession } from './open-home.ts';
import { json } from './output.ts';
import { jsonProgress, type Progress, peopleProgress } from './progress.ts';
import { resultOf, tellResult } from './result.ts';
import { type Interrupts, interrupts } from './signals.ts';
import { waitingOf } from './waiting.ts';
import { type Watch, watch } from './watch.ts';

/** Options of every command that changes a domain. */
export interface MutateOptions {
  /** Seconds; `true`: without limit. */
  readonly wait?: number | true | undefined;
  readonly reason?: string | undefined;
}

/** Run a request, show its progress, and tell what came of it. Answers the exit code. */
export async function mutate<Asked extends Request>(
  call: Invocation,
  request: Asked,
  options: MutateOptions,
  carryOut: (session: Session, request: Asked, run: RunOptions) => Promise<Report> = runRequest,
): Promise<Exit> {
  checkName('domain', request.domain);
  if (request.name !== undefined) checkName('snapshot', request.name);
  return withSession(
    call,
    session =>
      watched(call, session, options, async (run, seen) => {
        const begunMs = performance.now();
        await knowing(call, session, request.domain, { ...options, request });
        const report = await carryOut(session, request, run);
        const result = resultOf(session, report, seen, performance.now() - begunMs);
        return () => {
          if (call.json) json(result);
          else tellResult(result, session, seen.plan());
          return result.exit;
        };
      }),
    options.reason,
  );
}

/**
 * Run `body` with progress, signals and logs. It answers how to tell its result, which is done when
 * all progress has been shown.
 */
export async function watched(
  call: Invocation,
  session: Session,
  { wait }: MutateOptions,
  body: (run: RunOptions, seen: Watch) => Promise<() => Exit>,
): Promise<Exit> {
  const progress: Progress = call.json ? jsonProgress() : peopleProgress();
  const seen = watch(session.journal, progress.sink);
  const signals: Interrupts = interrupts(() => seen, progress.sink);
  const { observer, close } = await logged(call, session, seen.observer);
  const run: RunOptions = {
    ...waitingOf(wait),
    signal: signals.abort,
    abort: signals.abort,
    park: signals.park,
    observer,
  };
  let tell: () => Exit;
  try {
    tell = await body(run, seen);
  } catch (error) {
    tell = () => tellFailure(failed(error, signals, seen), call.json);
  } finally {
    signals.settle();
    await progress.close();
    await close();
  }
  return tell();
}

function failed(error: unknown, signals: Interrupts, seen: Watch) {
  const failure = failureOf(error);
  if (failure.code === 'busy' && signals.abort.aborted) {
    return {
      ...failure,
      exit: EXIT.rolledBack,
      code: 'aborted',
      message: 'called off while waiting',
    };
  }
  const told = failure.exit === EXIT.bug || failure.exit === EXIT.attention;
  if (seen.recovered.length === 0 || told) return failure;
  const earlier = seen.recovered.join(', ');
  return { ...failure, now: `${failure.now} (Before that, ${earlier} was brought to its end.)` };
}

/** Progress, and the log where there is one. */
async function logged(
  call: Invocation,
  { journal }: Session,
  shown: NonNullable<RunOptions['observer']>,
): Promise<{ observer: NonNullable<RunOptions['observer']>; close(): Promise<void> }> {
  const unlogged = { observer: shown, close: async () => {} };
  if (!call.verbose && call.logFile === undefined) return unlogged;
  const { logObserver, openLog } = await import('./log-writer.ts');
  const opened = openLog(call);
  if (!opened) return unlogged;
  const written = logObserver(opened.log, journal);
  const observer: typeof shown = {
    planned: (plan, steps) => shown.planned?.(plan, steps),
    recorded(record, decision, atMs) {
      written.recorded?.(record, decision, atMs);
      shown.recorded?.(record, decision, atMs);
    },
    called(effect, made) {
      written.called?.(effect, made);
    },
    progressed(effect, progress) {
      written.progressed?.(effect, progress);
      shown.progressed?.(effect, progress);
    },
  };
  return { observer, close: opened.close };
}
