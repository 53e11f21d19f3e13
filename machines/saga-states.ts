import { type SagaStep, undoState } from './saga.ts';
import { compensateFrom } from './saga-compensation.ts';
import { again, change, type Edge, effect, failure, type Layout, meta } from './saga-parts.ts';

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
