import { getAdjacencyMap } from '@xstate/graph';
import type { AnyMachineSnapshot } from 'xstate';
import { deadlineOf, type Saga, type SagaContext, type StateMeta } from '../../machines/saga.ts';

/** One event that a state takes, and where it leads. */
export interface Move {
  readonly event: string;
  readonly to: string;
}

/** A state of a machine with the part of its context that decides its way. */
export interface Place {
  readonly key: string;
  readonly state: string;
  readonly meta: StateMeta;
  readonly context: SagaContext;
  readonly moves: readonly Move[];
}

/** What can happen to an effect. The names are those of the laws, not of xstate. */
export const ENDS = ['done', 'retryable', 'final error', 'unknown', 'deadline'] as const;

/** Every place that a machine can come to, by all events in all orders. */
export function placesOf({ machine }: Saga): ReadonlyMap<string, Place> {
  const adjacency = getAdjacencyMap(machine, {
    input: { input: {}, deadlines: {} },
    serializeState: keyOf as never,
    events: ((snapshot: AnyMachineSnapshot) => eventsOf(snapshot)) as never,
    limit: 200_000,
  } as never);
  const places = new Map<string, Place>();
  for (const [key, { state, transitions }] of Object.entries(adjacency)) {
    const snapshot = state as unknown as AnyMachineSnapshot;
    places.set(key, {
      key,
      state: String(snapshot.value),
      meta: Object.values(snapshot.getMeta())[0] as StateMeta,
      context: snapshot.context as SagaContext,
      moves: (Object.values(transitions) as Transition[]).map(({ event, state: next }) => ({
        event: nameOf(event),
        to: keyOf(next),
      })),
    });
  }
  return places;
}

/** The place in which a machine begins. */
export function firstOf(saga: Saga, places: ReadonlyMap<string, Place>): Place {
  const first = [...places.values()].find(
    ({ state, context }) =>
      state === saga.steps[0]?.name && context.attempt === 0 && context.reached === 0,
  );
  if (!first) throw new Error(`${saga.id} has no beginning`);
  return first;
}

/** Failures are left out: no guard looks at them, and they make every way a place of its own. */
function keyOf({ value, context }: AnyMachineSnapshot): string {
  const { reached, attempt, hold, pivotInDoubt } = context as SagaContext;
  return [value, reached, attempt, hold ? 'hold' : '', pivotInDoubt ? 'in doubt' : ''].join('|');
}

interface Transition {
  readonly event: Happening;
  readonly state: AnyMachineSnapshot;
}

interface Happening {
  readonly type: string;
  readonly error?: { readonly code: string; readonly retryable: boolean };
}

function eventsOf(snapshot: AnyMachineSnapshot): Happening[] {
  const state = String(snapshot.value);
  const meta = Object.values(snapshot.getMeta())[0] as StateMeta;
  if (state === 'needsAttention') return [{ type: 'RECOVER' }];
  if (meta.kind === 'outcome') return [];
  const error = (code: string, retryable: boolean) => ({
    type: `xstate.error.actor.${state}`,
    error: { code, message: code, retryable },
  });
  const deadline = `xstate.after.${deadlineOf(meta.step)}.${snapshot.machine.id}.${state}`;
  return [
    { type: `xstate.done.actor.${state}`, output: {} } as Happening,
    error('io', true),
    error('io', false),
    error('unknown', false),
    { type: deadline },
    { type: 'ABORT' },
    { type: 'INTERRUPTED' },
  ];
}

function nameOf({ type, error }: Happening): string {
  if (type.startsWith('xstate.done')) return 'done';
  if (type.startsWith('xstate.after')) return 'deadline';
  if (!error) return type;
  if (error.code === 'unknown') return 'unknown';
  return error.retryable ? 'retryable' : 'final error';
}
