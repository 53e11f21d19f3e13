import type { PendingEffect } from '../journal/port.ts';
import { type Clock, sleep } from './clock.ts';
import type { Decision } from './decide.ts';
import type { Fact } from './fact.ts';
import { type Failpoints, noFailpoints } from './failpoint.ts';
import type { Json } from './json.ts';
import {
  type Acted,
  type EffectContext,
  type Progress,
  type Step,
  StepError,
  type ToolCallRecord,
} from './step.ts';

/** One effect to carry out. */
export interface Task {
  readonly effect: PendingEffect;
  readonly step: Step;
  readonly decision: Decision;
  readonly operation: string;
  /** `ask`: probe first. `ask-or-abort`: probe, and go back where it did not happen; so `ask-only`. */
  readonly doubt: 'none' | 'ask' | 'ask-only' | 'ask-or-abort' | 'abort';
  readonly abort: AbortSignal | undefined;
  readonly clock: Clock;
  readonly failpoints: Failpoints;
  readonly called: (call: ToolCallRecord) => void;
  readonly progressed: (progress: Progress) => void;
}

/** What came of an effect. */
export interface Fulfilled {
  readonly fact: Fact;
  readonly changes: readonly Json[];
  readonly calls: readonly ToolCallRecord[];
}

/** A step that is told to stop gets this long before its effect counts as in doubt. */
const GRACE_MS = 5_000;
const POLL_MS = 100;

/**
 * Carry an effect out, or find that it has happened: to a fact for the machine.
 * Errors other than StepError are bugs, and are thrown on.
 */
export async function carryOut(task: Task): Promise<Fulfilled> {
  const { effect, clock, abort } = task;
  const calls: ToolCallRecord[] = [];
  if (task.doubt === 'abort') return { fact: { type: 'interrupted' }, changes: [], calls };
  // Called off between two effects, or in one that was quicker: the next does not begin.
  if (abort?.aborted && task.doubt === 'none') {
    return { fact: { ...calledOff(abort), begun: false }, changes: [], calls };
  }
  const stop = new AbortController();
  let cut: 'deadline' | 'abort' | undefined;
  const cutShort = (why: 'deadline' | 'abort') => () => {
    cut ??= why;
    stop.abort(new StepError(why, `${effect.step}: ${why}`));
  };
  const cancelDeadline = clock.after(task.decision.deadlineMs, cutShort('deadline'));
  const onAbort = cutShort('abort');
  if (abort?.aborted) onAbort();
  abort?.addEventListener('abort', onAbort);
  try {
    const work = attempt(task, stop.signal, calls);
    const came = await withGrace(work, stop.signal, task);
    const { fact, changes } = await pivotAsked(task, came, calls);
    return { fact: cutOff(task, fact, cut), changes, calls };
  } finally {
    cancelDeadline();
    abort?.removeEventListener('abort', onAbort);
  }
}

/** What failed because it was called off. What was quicker is done; what is in doubt stays in doubt. */
function cutOff({ effect, abort }: Task, fact: Fact, cut: 'deadline' | 'abort' | undefined): Fact {
  if (cut === undefined || fact.type !== 'failed' || fact.error.code === 'unknown') return fact;
  return cut === 'abort' ? calledOff(abort) : { type: 'deadline', effect: effect.id };
}

const calledOff = (abort: AbortSignal | undefined): Fact & { type: 'abort' } => ({
  type: 'abort',
  reason: String(abort?.reason ?? 'called off'),
});

/** How often a pivot is asked about, where the answer fails too. */
const ASKED_MAX = 3;

/**
 * A pivot that failed or was called off may have happened all the same, and then there is no way back.
 * Where nobody answers, it is in doubt.
 */
async function pivotAsked(
  task: Task,
  came: Pick<Fulfilled, 'fact' | 'changes'>,
  calls: ToolCallRecord[],
): Promise<Pick<Fulfilled, 'fact' | 'changes'>> {
  const { fact } = came;
  if (!task.decision.meta.pivot || fact.type !== 'failed' || fact.error.code === 'unknown')
    return came;
  const asking = new AbortController();
  const cancel = task.clock.after(GRACE_MS, () => asking.abort());
  try {
    const asked: Task = { ...task, doubt: 'ask-only', failpoints: noFailpoints };
    for (let times = 0; times < ASKED_MAX; times += 1) {
      const found = await withGrace(attempt(asked, asking.signal, calls), asking.signal, task);
      if (found.fact.type === 'interrupted') return came;
      if (found.fact.type !== 'failed' || found.fact.error.code === 'unknown') return found;
    }
  } finally {
    cancel();
  }
  const { message } = fact.error;
  const error = {
    code: 'unknown',
    message: `${message}; nobody says whether it happened`,
    retryable: false,
  };
  return { fact: { ...fact, error }, changes: [] };
}

async function attempt(
  task: Task,
  signal: AbortSignal,
  calls: ToolCallRecord[],
): Promise<Pick<Fulfilled, 'fact' | 'changes'>> {
  const { effect, step, failpoints } = task;
  try {
    const input = step.input.parse(task.decision.context.input);
    const context = contextOf(task, signal, calls);
    const found = task.doubt === 'none' ? undefined : await ask(task, input, context);
    if (found === 'absent' && (task.doubt === 'ask-or-abort' || task.doubt === 'ask-only')) {
      return { fact: { type: 'interrupted' }, changes: [] };
    }
    failpoints.hit(`${effect.step}:before`);
    const acted = found && found !== 'absent' ? found : await step.act(input, context);
    failpoints.hit(`${effect.step}:after`);
    const output = step.output.parse(acted.output);
    return { fact: { type: 'done', effect: effect.id, output }, changes: acted.changes ?? [] };
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    const { code, message, retryable, changes } = error;
    return {
      fact: { type: 'failed', effect: effect.id, error: { code, message, retryable } },
      changes,
    };
  }
}

/** Ask the world until it knows. */
async function ask(
  { step, clock }: Task,
  input: unknown,
  context: EffectContext,
): Promise<Acted<unknown> | 'absent'> {
  for (;;) {
    const found = await step.probe(input, context);
    if (found.state === 'present') return found;
    if (found.state === 'absent') return 'absent';
    if (found.state === 'unknown') throw new StepError('unknown', found.why, { retryable: false });
    if (context.signal.aborted) throw new StepError('aborted', 'still at work when called off');
    await sleep(clock, POLL_MS, context.signal);
  }
}

function contextOf(task: Task, signal: AbortSignal, calls: ToolCallRecord[]): EffectContext {
  const { effect, decision, operation, failpoints } = task;
  return {
    key: effect.key,
    operation,
    attempt: decision.context.attempt,
    again: task.doubt !== 'none' || decision.meta.kind === 'undo',
    signal,
    results: decision.context.results,
    failures: decision.context.failures,
    progress: task.progressed,
    log(call) {
      calls.push(call);
      task.called(call);
      if (calls.length === 1) failpoints.hit(`${effect.step}:inside`);
    },
  };
}

/** Wait for an effect; once it is told to stop, only so long. */
async function withGrace(
  work: Promise<Pick<Fulfilled, 'fact' | 'changes'>>,
  signal: AbortSignal,
  { effect, clock }: Task,
): Promise<Pick<Fulfilled, 'fact' | 'changes'>> {
  let cancel = () => {};
  const late = new Promise<Pick<Fulfilled, 'fact' | 'changes'>>(resolve => {
    const begin = () => {
      cancel = clock.after(GRACE_MS, () => {
        const message = `${effect.step} did not stop within ${GRACE_MS} ms; it may still be at work`;
        const error = { code: 'unknown', message, retryable: false };
        resolve({ fact: { type: 'failed', effect: effect.id, error }, changes: [] });
      });
    };
    if (signal.aborted) begin();
    else signal.addEventListener('abort', begin, { once: true });
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
  }
}
