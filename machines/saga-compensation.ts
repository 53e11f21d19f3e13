import { type SagaStep, undoState } from './saga.ts';
import {
  again,
  change,
  type Edge,
  effect,
  failure,
  inDoubt,
  type Layout,
  meta,
  type Scope,
  type Undoable,
} from './saga-parts.ts';

/** The state that takes a step's effect back. */
export function compensationState(layout: Layout, step: Undoable): object {
  const state = undoState(step.name);
  return {
    ...effect(state, step.undo.name, afterUndo(layout, step), [
      again(state),
      ...giveUpUndo(layout, step),
    ]),
    meta: meta(step, {
      kind: 'undo',
      step: step.undo.name,
      says: step.undo.says,
      committed: false,
    }),
  };
}

/** The guarded edges into the compensations of everything that was begun up to `index`. */
export function compensateFrom(layout: Layout, step: SagaStep, index: number): Edge[] {
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

/** From one compensation to the next that applies, or to the end; with `hold`, only to the guest's life. */
function afterUndo(layout: Layout, step: Undoable): Edge[] {
  const { steps, undoOrder } = layout;
  // What is taken back is not taken back again by a recovery: what that needs may be gone by then.
  const reached = step.undo.liveness ? {} : { reached: steps.indexOf(step) - 1 };
  const actions = change(() => ({ attempt: 0, ...reached }));
  const behind = undoOrder.slice(undoOrder.indexOf(step) + 1);
  return [
    ...behind.map(other => ({
      target: undoState(other.name),
      guard: (scope: Scope) => isBegun(layout, other, scope) && mayUndo(other, scope),
      actions,
    })),
    { target: 'needsAttention', guard: ({ context }) => context.hold, actions },
    { target: 'rolledBack', actions },
  ];
}

/**
 * A compensation has failed for good. Those behind it may destroy what it still needs, so only the
 * guest's life is seen to: by what saves it and has not been tried, or once more where this one was
 * tidying, for tidying may have stopped the guest.
 */
function giveUpUndo(layout: Layout, step: Undoable): Edge[] {
  const { undoOrder } = layout;
  const actions = change(({ context, event }) => ({
    failures: [...context.failures, failure(step.undo.name, event)],
    attempt: 0,
    hold: true,
  }));
  const left = step.undo.liveness ? undoOrder.slice(undoOrder.indexOf(step) + 1) : undoOrder;
  return [
    ...left
      .filter(other => other.undo.liveness)
      .map(other => ({
        target: undoState(other.name),
        guard: (scope: Scope) => isBegun(layout, other, scope),
        actions,
      })),
    { target: 'needsAttention', actions },
  ];
}

const isBegun = ({ steps }: Layout, step: Undoable, { context }: Scope): boolean =>
  context.reached >= steps.indexOf(step);

const mayUndo = (step: Undoable, { context }: Scope): boolean =>
  step.undo.liveness === true || !context.hold;
