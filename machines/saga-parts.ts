import { assign } from 'xstate';
import {
  type Compensation,
  deadlineOf,
  type Failure,
  type SagaContext,
  type SagaStep,
  type StateMeta,
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

/** A step that can be taken back. */
export type Undoable = SagaStep & { readonly undo: Compensation };

interface SagaEvent {
  readonly type: string;
  readonly output?: unknown;
  readonly error?: unknown;
  readonly reason?: string;
  readonly begun?: false;
}

/** What guards and updates see. */
export interface Scope {
  readonly context: SagaContext;
  readonly event: SagaEvent;
}

/** One way out of a state. */
export interface Edge {
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

/** A state that runs one effect, with a way on, a way for its error, and a deadline. */
export function effect(state: string, src: string, onDone: Edge[], onError: Edge[]): object {
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

/** Once more, as long as that may go well. */
export const again = (state: string): Edge => ({
  target: state,
  reenter: true,
  guard: mayRetry,
  actions: change(({ context }) => ({ attempt: context.attempt + 1 })),
});

/** What the engine, the plan and the diagrams read of a state. */
export function meta(
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

/** An update of the context. */
export function change(update: (scope: Scope) => Partial<SagaContext>): unknown {
  return assign(update as never);
}

/** What an event says of a failure. */
export function failure(step: string, event: SagaEvent): Failure {
  const error = event.error as EffectError | undefined;
  return {
    step,
    code: error?.code ?? (event.type === 'ABORT' ? 'aborted' : 'deadline'),
    message: error?.message ?? event.reason ?? 'the deadline passed',
    ...(event.begun === false ? { begun: false as const } : {}),
  };
}

/** Nobody knows whether the effect happened. */
export function inDoubt({ event }: Scope): boolean {
  return (event.error as EffectError | undefined)?.code === 'unknown';
}

function mayRetry(scope: Scope): boolean {
  const error = scope.event.error as EffectError | undefined;
  return scope.context.attempt + 1 < ATTEMPTS_MAX && !inDoubt(scope) && error?.retryable !== false;
}
