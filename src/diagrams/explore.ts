import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  initialTransition,
  transition,
} from 'xstate';
import type { SagaContext, SagaInput, StateMeta } from '../../machines/saga.ts';

/**
 * Why a run goes from one state to another.
 *
 * - `done`: the effect succeeded.
 * - `failed`, `late`, `aborted`: before the pivot, it did not; what was begun is taken back.
 * - `inDoubt`: nobody knows whether it did; nothing is guessed.
 * - `retry`: it is tried again in place.
 * - `gaveUp`: no attempt is left.
 * - `held`: a compensation succeeded, and no more than the guest's life may be touched.
 * - `recover`: a person sends the machine on.
 */
export type Way =
  | 'done'
  | 'failed'
  | 'late'
  | 'aborted'
  | 'inDoubt'
  | 'retry'
  | 'gaveUp'
  | 'held'
  | 'recover';

/** One transition that a run can take. */
export interface Move {
  readonly from: string;
  readonly to: string;
  readonly way: Way;
}

interface Trial {
  readonly type: string;
  readonly way: Way;
  readonly error?: { code: string; message: string; retryable: boolean };
}

/**
 * Every transition that some run of the machine takes, found by sending each event that a state
 * listens to, in each condition of the context that its guards can see. Pure: no effect runs.
 */
export function explore(machine: AnyStateMachine): readonly Move[] {
  const input: SagaInput = { input: null, deadlines: {} };
  const [first] = initialTransition(machine, input as never);
  const open: AnyMachineSnapshot[] = [first];
  const seen = new Set([conditionOf(first)]);
  const moves = new Map<string, Move>();
  for (let here = open.pop(); here; here = open.pop()) {
    for (const trial of trialsIn(machine, here)) {
      const [there] = transition(machine, here, trial as never);
      const move = moveOf(here, there, trial.way);
      moves.set(JSON.stringify(move), move);
      const condition = conditionOf(there);
      if (!seen.has(condition)) {
        seen.add(condition);
        open.push(there);
      }
    }
  }
  return [...moves.values()];
}

/** What guards can see of a snapshot; its history of results and failures only piles up. */
function conditionOf(snapshot: AnyMachineSnapshot): string {
  const { results: _results, failures: _failures, ...rest } = snapshot.context as SagaContext;
  return JSON.stringify([snapshot.value, rest]);
}

function trialsIn(machine: AnyStateMachine, snapshot: AnyMachineSnapshot): Trial[] {
  const node = machine.states[String(snapshot.value)];
  const meta = node?.meta as StateMeta | undefined;
  const failed: Way = meta?.kind === 'forward' && !meta.committed ? 'failed' : 'gaveUp';
  const error = (code: string, retryable: boolean) => ({ code, message: code, retryable });
  return [...(node?.transitions.keys() ?? [])].flatMap<Trial>(type => {
    if (type.startsWith('xstate.done.')) return [{ type, way: 'done' }];
    if (type.startsWith('xstate.error.')) {
      return [
        { type, way: failed, error: error('failed', true) },
        { type, way: failed, error: error('failed', false) },
        { type, way: 'inDoubt', error: error('unknown', false) },
      ];
    }
    if (type.startsWith('xstate.after.')) {
      return [{ type, way: failed === 'failed' ? 'late' : 'gaveUp' }];
    }
    if (type === 'ABORT') return [{ type, way: 'aborted' }];
    // A life that ended in the window goes back like a failure, over all that it may have begun.
    if (type === 'INTERRUPTED') return [{ type, way: 'failed' }];
    if (type === 'RECOVER') return [{ type, way: 'recover' }];
    throw new Error(`${machine.id}: ${node?.key} listens to ${type}, which no diagram can show`);
  });
}

function moveOf(here: AnyMachineSnapshot, there: AnyMachineSnapshot, way: Way): Move {
  const from = String(here.value);
  const to = String(there.value);
  if (from === to) return { from, to, way: 'retry' };
  if (way === 'done' && to === 'needsAttention') return { from, to, way: 'held' };
  return { from, to, way };
}
