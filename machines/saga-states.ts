import { assign } from 'xstate';
import {
  type Compensation,
  deadlineOf,
  type Failure,
  type SagaContext,
  type SagaStep,
  type StateMeta,
  undoState,
} from './saga.ts';

/** An effect that fails is tried this often in all, where it may be tried again. */
export const ATTEMPTS_MAX = 4;

/** The steps of a case with what the builder needs to know about their order. */
export interface Layout {
  readonly steps: readonly SagaStep[];
  readonly pivotAt: number;
  /** Steps with a compensation: the guest's life first, each group in reverse order. */
  readonly undoOrder: readonly Undoable[];
}

type Undoable = SagaStep & { readonly undo: Compensation };

interface SagaEvent {
  readonly type: string;
  readonly output?: unknown;
  readonly error?: unknown;
  readonly reason?: string;
}
interface Scope {
  readonly context: SagaContext;
  readonly event: SagaEvent;
}
interface Edge {
  target: string;
  reenter?: true;
  guard?: (scope: Scope) => boolean;
  actions?: unknown;
}
type EffectError = { code?: string; message?: string; retryable?: boolean };

/** Order the steps of a case for the builder. */
export function arrange(steps: readonly SagaStep[]): Layout {
  const pivotAt = steps.findIndex(step => step.pivot);
  const reversed = steps.filter((step): step is Undoable => step.undo !== undefined).reverse();
  return {
    steps,
    pivotAt: pivotAt < 0 ? steps.length - 1 : pivotAt,
    undoOrder: [
      ...reversed.filter(step => step.undo.liveness),
      ...reversed.filter(step => !step.undo.liveness),
    ],
  };
}

/** A step on the way to `committed`. */
export function forwardState(layout: Layout, step: SagaStep, index: number): object {
  const next = layout.steps[index + 1]?.name ?? 'committed';
  const onward: Edge = {
    target: next,
    actions: change(({ context, event }) => ({
      results: { ...context.results, [step.name]: event.output },
      reached: Math.min(index + 1, layout.steps.length - 1),
      attempt: 0,
    })),
  };
  const committed = index > layout.pivotAt;
  const failed = committed
    ? [again(step.name), ...giveUpForward(layout, step, index)]
    : compensateFrom(layout, step, index);
  return {
    ...effect(step.name, step.name, [onward], failed),
    meta: meta(step, { kind: 'forward', step: step.name, says: step.says, committed }),
    ...(committed ? {} : { on: callOffs(layout, step, index) }),
  };
}

/**
 * ABORT goes back from here. INTERRUPTED is for a next life that finds itself in the window: a host that
 * died took the window's records with it, so anything in the rest of the window may have happened too.
 */
function callOffs(layout: Layout, step: SagaStep, index: number): object {
  const abort = { ABORT: compensateFrom(layout, step, index) };
  if (!step.window) return abort;
  return { ...abort, INTERRUPTED: compensateFrom(layout, step, windowEnd(layout, index)) };
}

/** The last step of the window around `index` that a compensation still covers. */
function windowEnd({ steps, pivotAt }: Layout, index: number): number {
  let end = index;
  while (end < pivotAt && steps[end + 1]?.window) end += 1;
  return end;
}

/** The first step of the window around `index`, or `index` itself. Never before the pivot's success. */
function windowStart({ steps, pivotAt }: Layout, index: number): number {
  if (!steps[index]?.window) return index;
  let start = index;
  while (start - 1 > pivotAt && steps[start - 1]?.window) start -= 1;
  return start;
}

/** The state that takes a step's effect back. */
export function compensationState(layout: Layout, step: Undoable): object {
  const state = undoState(step.name);
  const behind = layout.undoOrder.slice(layout.undoOrder.indexOf(step) + 1);
  const onward = afterUndo(layout, behind, { attempt: 0 });
  const passedOver = afterUndo(layout, behind, { attempt: 0 }, step.undo.name);
  return {
    ...effect(state, step.undo.name, onward, [again(state), ...passedOver]),
    meta: meta(step, {
      kind: 'undo',
      step: step.undo.name,
      says: step.undo.says,
      committed: false,
    }),
  };
}

/** The three ends. In `needsAttention` RECOVER goes on: forward behind the pivot, else backward. */
export function outcomeStates(layout: Layout): object {
  const { steps, pivotAt, undoOrder } = layout;
  const end = (says: string): object => ({
    kind: 'outcome',
    step: '',
    says,
    window: false,
    pivot: false,
    liveness: false,
    committed: false,
  });
  const fresh = { attempt: 0, hold: false, pivotInDoubt: false };
  // Inside a window it goes on from the window's beginning: the guest was let run meanwhile.
  const forward = steps.slice(pivotAt + 1).map<Edge>((_step, k) => {
    const index = pivotAt + 1 + k;
    const from = windowStart(layout, index);
    return {
      target: steps[from]?.name ?? 'committed',
      guard: ({ context }) => context.reached === index,
      actions: change(() => ({ ...fresh, reached: from })),
    };
  });
  const doubtful: Edge[] = steps
    .filter(step => step.pivot)
    .map(step => ({
      target: step.name,
      guard: ({ context }) => context.pivotInDoubt,
      actions: change(() => fresh),
    }));
  const backward = undoOrder.map<Edge>(step => ({
    target: undoState(step.name),
    guard: ({ context }) => context.reached <= pivotAt && context.reached >= steps.indexOf(step),
    actions: change(() => fresh),
  }));
  return {
    committed: { type: 'final', meta: end('done') },
    rolledBack: { type: 'final', meta: end('as before') },
    needsAttention: {
      meta: end('waits for a person'),
      on: { RECOVER: [...doubtful, ...forward, ...backward, { target: 'rolledBack' }] },
    },
  };
}

/** A state that runs one effect, with a way on, a way for its error, and a deadline. */
function effect(state: string, src: string, onDone: Edge[], onError: Edge[]): object {
  const withDeadline = onError.map(edge => ({ ...edge }));
  return {
    invoke: {
      id: state,
      src,
      onDone,
      onError,
    },
    after: { [deadlineOf(src)]: withDeadline },
  };
}

const again = (state: string): Edge => ({
  target: state,
  reenter: true,
  guard: mayRetry,
  actions: change(({ context }) => ({ attempt: context.attempt + 1 })),
});

/** The guarded edges into the compensations of everything that was begun up to `index`. */
function compensateFrom(layout: Layout, step: SagaStep, index: number): Edge[] {
  const record = (held: boolean) =>
    change(({ context, event }) => ({
      failures: [...context.failures, failure(step.name, event)],
      reached: index,
      attempt: 0,
      hold: held,
      pivotInDoubt: held && step.pivot === true,
    }));
  const begun = layout.undoOrder.filter(other => layout.steps.indexOf(other) <= index);
  const life = begun.find(other => other.undo.liveness);
  const doubtful: Edge = {
    target: life ? undoState(life.name) : 'needsAttention',
    guard: inDoubt,
    actions: record(true),
  };
  const first = begun[0];
  return [
    doubtful,
    { target: first ? undoState(first.name) : 'rolledBack', actions: record(false) },
  ];
}

/** Behind the pivot a step failed for good: make the guest run, then wait for a person. */
function giveUpForward(layout: Layout, step: SagaStep, index: number): Edge[] {
  const actions = change(({ context, event }) => ({
    failures: [...context.failures, failure(step.name, event)],
    attempt: 0,
    hold: true,
  }));
  const life = layout.undoOrder.find(
    other => other.undo.liveness && layout.steps.indexOf(other) <= index,
  );
  return [{ target: life ? undoState(life.name) : 'needsAttention', actions }];
}

/**
 * From one compensation to the next that applies, or to the end. Where one has failed for good, the ones
 * behind it may destroy what it still needs: then only the guest's life is seen to.
 */
function afterUndo(
  { steps }: Layout,
  behind: readonly Undoable[],
  update: Partial<SagaContext>,
  failed?: string,
): Edge[] {
  const actions = change(({ context, event }) => ({
    ...update,
    ...(failed ? { failures: [...context.failures, failure(failed, event)], hold: true } : {}),
  }));
  const held = (scope: Scope) => scope.context.hold || failed !== undefined;
  const onward = behind.map<Edge>(other => ({
    target: undoState(other.name),
    guard: scope =>
      scope.context.reached >= steps.indexOf(other) &&
      (other.undo.liveness === true || !held(scope)),
    actions,
  }));
  const wait: Edge = { target: 'needsAttention', actions };
  if (failed) return [...onward, wait];
  return [...onward, { ...wait, guard: held }, { target: 'rolledBack', actions }];
}

function meta(
  step: SagaStep,
  rest: Pick<StateMeta, 'kind' | 'step' | 'says' | 'committed'>,
): StateMeta {
  return {
    window: step.window === true && (rest.kind === 'forward' || step.undo?.liveness === true),
    pivot: step.pivot === true && rest.kind === 'forward',
    liveness: rest.kind === 'undo' && step.undo?.liveness === true,
    ...rest,
  };
}

function change(update: (scope: Scope) => Partial<SagaContext>): unknown {
  return assign(update as never);
}

function failure(step: string, event: SagaEvent): Failure {
  const error = event.error as EffectError | undefined;
  return {
    step,
    code: error?.code ?? (event.type === 'ABORT' ? 'aborted' : 'deadline'),
    message: error?.message ?? event.reason ?? 'the deadline passed',
  };
}

function inDoubt({ event }: Scope): boolean {
  return (event.error as EffectError | undefined)?.code === 'unknown';
}

function mayRetry(scope: Scope): boolean {
  const error = scope.event.error as EffectError | undefined;
  return scope.context.attempt + 1 < ATTEMPTS_MAX && !inDoubt(scope) && error?.retryable !== false;
}
