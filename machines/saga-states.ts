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
    ...(committed ? {} : { on: { ABORT: compensateFrom(layout, step, index) } }),
  };
}

/** The state that takes a step's effect back. */
export function compensationState(layout: Layout, step: Undoable): object {
  const state = undoState(step.name);
  const behind = layout.undoOrder.slice(layout.undoOrder.indexOf(step) + 1);
  const onward = afterUndo(layout, behind, { attempt: 0 });
  const passedOver = afterUndo(layout, behind, { attempt: 0, troubled: true }, step.undo.name);
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
export function outcomeStates({ steps, pivotAt, undoOrder }: Layout): object {
  const end = (says: string): object => ({
    kind: 'outcome',
    step: '',
    says,
    window: false,
    pivot: false,
    liveness: false,
    committed: false,
  });
  const fresh = { attempt: 0, hold: false, troubled: false };
  const forward = steps.slice(pivotAt + 1).map<Edge>((step, k) => ({
    target: step.name,
    guard: ({ context }) => context.reached === pivotAt + 1 + k,
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
      on: { RECOVER: [...forward, ...backward, { target: 'rolledBack' }] },
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
    troubled: true,
  }));
  const life = layout.undoOrder.find(
    other => other.undo.liveness && layout.steps.indexOf(other) <= index,
  );
  return [{ target: life ? undoState(life.name) : 'needsAttention', actions }];
}

/** From one compensation to the next that applies, or to the end. */
function afterUndo(
  { steps }: Layout,
  behind: readonly Undoable[],
  update: Partial<SagaContext>,
  failed?: string,
): Edge[] {
  const actions = change(({ context, event }) => ({
    ...update,
    ...(failed ? { failures: [...context.failures, failure(failed, event)] } : {}),
    ...(failed && inDoubt({ context, event }) ? { hold: true } : {}),
  }));
  const held = (scope: Scope) => scope.context.hold || (failed !== undefined && inDoubt(scope));
  const onward = behind.map<Edge>(other => ({
    target: undoState(other.name),
    guard: scope =>
      scope.context.reached >= steps.indexOf(other) &&
      (other.undo.liveness === true || !held(scope)),
    actions,
  }));
  const trouble: Edge = {
    target: 'needsAttention',
    guard: scope => held(scope) || scope.context.troubled || failed !== undefined,
    actions,
  };
  return failed
    ? [...onward, { ...trouble }]
    : [...onward, trouble, { target: 'rolledBack', actions }];
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
