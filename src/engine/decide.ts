import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  initialTransition,
  transition,
} from 'xstate';
import type { SagaContext, StateMeta } from '../../machines/saga.ts';
import type { Fact } from './fact.ts';

/** An effect that a machine asks for: the id of its invocation and the step that carries it out. */
export interface Wanted {
  readonly id: string;
  readonly step: string;
}

/** Where a machine stands after a fact, and what it wants done next. */
export interface Decision {
  readonly snapshot: AnyMachineSnapshot;
  readonly state: string;
  readonly meta: StateMeta;
  readonly context: SagaContext;
  /** At most one in a saga; none at its end. */
  readonly wanted: readonly Wanted[];
  /** Milliseconds that the wanted effect may take. */
  readonly deadlineMs: number;
}

type Action = { type: string; params?: Record<string, unknown> };

/** The first decision of an operation. Pure. */
export function begin(machine: AnyStateMachine, fact: Fact & { type: 'started' }): Decision {
  const [snapshot, actions] = initialTransition(machine, {
    input: fact.input,
    deadlines: fact.deadlines,
  });
  return decision(snapshot, actions as unknown as Action[]);
}

/**
 * The next decision of an operation. Pure: the same facts give the same decisions for ever.
 * Throws where a fact does not fit the state: a journal and a machine that disagree are a bug, and
 * going on would be a guess.
 */
export function advance(machine: AnyStateMachine, before: Decision, fact: Fact): Decision {
  const event = eventOf(before, fact);
  const [snapshot, actions] = transition(machine, before.snapshot, event as never);
  if (snapshot === before.snapshot) {
    throw new Error(`${machine.id}: the state ${before.state} does not take the fact ${fact.type}`);
  }
  if (snapshot.status === 'error') throw snapshot.error;
  return decision(snapshot, actions as unknown as Action[]);
}

/** Add up the facts of an operation. Throws where they do not fit the machine. */
export function replay(machine: AnyStateMachine, facts: readonly Fact[]): Decision {
  const [first, ...rest] = facts;
  if (first?.type !== 'started')
    throw new Error(`${machine.id}: the journal does not begin at the start`);
  return rest.reduce((before, fact) => advance(machine, before, fact), begin(machine, first));
}

/** xstate's own names of events stay in here. */
function eventOf(before: Decision, fact: Fact): { type: string; [key: string]: unknown } {
  switch (fact.type) {
    case 'started':
      throw new Error('an operation starts once');
    case 'done':
      return { type: `xstate.done.actor.${live(before, fact.effect)}`, output: fact.output };
    case 'failed':
      return { type: `xstate.error.actor.${live(before, fact.effect)}`, error: fact.error };
    case 'deadline':
      return { type: deadlineEvent(before, live(before, fact.effect)) };
    case 'abort':
      return { type: 'ABORT', reason: fact.reason, begun: fact.begun };
    case 'interrupted':
      return { type: 'INTERRUPTED', reason: 'the engine died while the guest stood still' };
    case 'recover':
      return { type: 'RECOVER' };
  }
}

/** A completion counts only for an effect that the state still waits for. */
function live(before: Decision, effect: string): string {
  const wanted = before.wanted.find(({ id }) => id === effect);
  if (!wanted) throw new Error(`${before.state} does not wait for ${effect}`);
  return wanted.id;
}

function deadlineEvent(before: Decision, effect: string): string {
  const { machine, value } = before.snapshot;
  const step = before.wanted.find(({ id }) => id === effect)?.step;
  return `xstate.after.deadline of ${step}.${machine.id}.${String(value)}`;
}

function decision(snapshot: AnyMachineSnapshot, actions: readonly Action[]): Decision {
  const wanted = new Map<string, Wanted>();
  let deadlineMs = 0;
  for (const { type, params } of actions) {
    if (type === 'xstate.spawnChild') {
      const id = String(params?.id);
      wanted.set(id, { id, step: String(params?.src) });
    } else if (type === 'xstate.stopChild') {
      // A state that is entered again stops its child before it spawns the next: order decides.
      wanted.delete(String((params as { id?: string } | undefined)?.id));
    } else if (type === 'xstate.raise' && typeof params?.delay === 'number') {
      deadlineMs = params.delay;
    }
  }
  const state = String(snapshot.value);
  const metas = Object.values(snapshot.getMeta()) as StateMeta[];
  const meta = metas[0];
  if (!meta) throw new Error(`${snapshot.machine.id}: the state ${state} has no meta`);
  return {
    snapshot,
    state,
    meta,
    context: snapshot.context,
    wanted: [...wanted.values()],
    deadlineMs,
  };
}
