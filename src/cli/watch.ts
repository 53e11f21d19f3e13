import { VOCABULARY } from '../../machines/vocabulary.ts';
import type { Decision } from '../engine/decide.ts';
import type { Fact } from '../engine/fact.ts';
import type { Journal, JournalRecord, PendingEffect } from '../journal/port.ts';
import type { RunOptions } from '../operations/run-request.ts';
import type { Plan } from '../plan/plan.ts';
import type { PlannedStep } from '../plan/preview.ts';
import type { EventSink, StepEvent } from './events.ts';
import { guestPause } from './guest-pause.ts';

type Observer = NonNullable<RunOptions['observer']>;

/** What a watcher knows of the operations that this process runs. */
export interface Watch {
  readonly observer: Observer;
  /** Operations of earlier lives that were brought to their end on the way. */
  readonly recovered: readonly string[];
  /** The operation that runs now stands behind its pivot. */
  pastPivot(): boolean;
  goesBack(): boolean;
  guestPauseMs(): number | null;
  /** What was decided for this request, once it is known. */
  plan(): Plan | undefined;
}

interface Current {
  readonly effect: PendingEffect;
  readonly startedMs: number | null;
  readonly window: boolean;
}

/** Turn what the engine tells into events. */
export function watch(journal: Pick<Journal, 'records' | 'operation'>, sink: EventSink): Watch {
  const pause = guestPause();
  const recovered: string[] = [];
  let planned: Plan | undefined;
  let previewed: readonly PlannedStep[] = [];
  let last: Decision | undefined;
  let seen: string | undefined;
  let current: Current | undefined;

  const begin = ({ operation }: JournalRecord) => {
    seen = operation;
    if (planned?.operation === operation) return;
    recovered.push(operation);
    const { subject = '', caseId = '' } = journal.operation(operation) ?? {};
    sink({ event: 'recovering', operation, domain: subject, case: caseId });
  };
  const recorded = (record: JournalRecord, decision: Decision, nowMs: number) => {
    if (seen !== record.operation) {
      current = undefined;
      begin(record);
    }
    const ended = current ?? pendingBefore(journal, record);
    const { type } = record.fact;
    if (ended && type !== 'started' && type !== 'recover') {
      if (planned?.input.runBefore === 'running') pause.ended(ended.effect.step, type, nowMs);
      const idle = type === 'done' && isIdle(record, ended, last, previewed);
      sink({ ...endOf(record, ended, nowMs), idle });
    }
    const [next] = record.effects;
    last = decision;
    current = next && { effect: next, startedMs: nowMs, window: decision.meta.window };
    if (current) sink(startOf(record, current));
  };
  const observer: Observer = {
    planned(plan, steps) {
      planned = plan;
      previewed = steps;
      sink(plannedEvent(plan, steps));
    },
    recorded,
    progressed({ step }, progress) {
      sink({ event: 'progress', operation: seen ?? '', step, ...progress });
    },
  };
  return {
    observer,
    recovered,
    pastPivot: () => last?.meta.kind === 'forward' && last.meta.committed,
    goesBack: () => last?.meta.kind === 'undo',
    guestPauseMs: pause.ms,
    plan: () => planned,
  };
}

/** What was pending when an earlier life ended. */
function pendingBefore(
  journal: Pick<Journal, 'records'>,
  { operation, seq }: JournalRecord,
): Current | undefined {
  const [effect] = journal.records(operation).find(other => other.seq === seq - 1)?.effects ?? [];
  return effect && { effect, startedMs: null, window: false };
}

function plannedEvent(plan: Plan, steps: readonly PlannedStep[]) {
  const { operation, saga, input, bytesToMove, notes } = plan;
  return {
    event: 'planned' as const,
    operation,
    domain: input.domain,
    name: input.name,
    case: saga.id,
    title: saga.title,
    bytesToMove,
    steps: steps.map(({ step, says, window, pivot, idle }) => ({
      step,
      says,
      window,
      pivot,
      idle,
    })),
    notes,
  };
}

const STATUS: Record<Exclude<Fact['type'], 'started' | 'recover'>, StepEvent['status']> = {
  done: 'done',
  failed: 'failed',
  deadline: 'deadline',
  abort: 'aborted',
  interrupted: 'aborted',
};

/**
 * Whether a step came to its end without anything to do: by the plan, or since it made no call where
 * the plan has some. What an earlier attempt has done is found, and not done again: that is no idleness.
 */
function isIdle(
  { calls }: JournalRecord,
  { effect: { id, step }, startedMs }: Current,
  before: Decision | undefined,
  steps: readonly PlannedStep[],
): boolean {
  const planned = id === step ? steps.find(other => other.step === step) : undefined;
  if (!planned || planned.idle) return planned !== undefined;
  const first = startedMs !== null && before?.context.attempt === 0;
  return first && planned.commands.length > 0 && calls.length === 0;
}

function startOf(record: JournalRecord, current: Current): StepEvent {
  return { ...common(record, current), status: 'started', elapsedMs: null };
}

function endOf(record: JournalRecord, current: Current, nowMs: number): StepEvent {
  const { fact } = record;
  const { startedMs } = current;
  return {
    ...common(record, current),
    status: STATUS[fact.type as keyof typeof STATUS],
    elapsedMs: startedMs === null ? null : nowMs - startedMs,
    ...(fact.type === 'failed'
      ? { error: { code: fact.error.code, message: fact.error.message } }
      : {}),
    ...(fact.type === 'abort' ? { error: { code: 'aborted', message: fact.reason } } : {}),
  };
}

function common({ operation, seq }: JournalRecord, { effect, window }: Current) {
  const { id, step } = effect;
  return {
    event: 'step' as const,
    operation,
    seq,
    step,
    says: VOCABULARY[step as keyof typeof VOCABULARY]?.says ?? step,
    kind: id === step ? ('forward' as const) : ('undo' as const),
    window,
    idle: false,
  };
}
