import { type AnyStateMachine, createMachine, fromPromise } from 'xstate';
import { compensationState } from './saga-compensation.ts';
import { arrange } from './saga-parts.ts';
import { forwardState, outcomeStates } from './saga-states.ts';

/**
 * The builder of all case machines: a list of steps in, one flat XState machine out.
 *
 * The rules that every machine gets, so that no case file has to repeat them:
 *
 * - Before the pivot, a failure, a missed deadline or an abort compensates: first whatever makes the
 *   guest run again (`liveness`), then the rest in reverse order.
 * - From the pivot's success on, steps are retried forward and never undone.
 * - A compensation that fails is retried; if it fails for good, the guest's life is seen to (once more),
 *   and the rest is left alone in `needsAttention`: what stands behind it could destroy what it needs.
 * - What has been taken back is not taken back again by a recovery.
 * - A step whose effect is in doubt (`code: 'unknown'`) is not guessed at: the guest is made to run,
 *   and the rest is left exactly as it is, in `needsAttention`.
 * - `needsAttention` is a place to wait in, not a grave: RECOVER goes on from there.
 */
export interface SagaStep {
  /** The forward step: a verb of the vocabulary, and the name of its state. */
  readonly name: string;
  /** What takes its effect back; none for a step that leaves nothing behind. */
  readonly undo?: Compensation;
  /** Behind this step's success there is only forward. */
  readonly pivot?: true;
  /** The guest may stand still in this step: its records wait for no disk. */
  readonly window?: true;
  /** Milliseconds until the step counts as failed, unless the plan says otherwise. */
  readonly deadlineMs: number;
  /** What the step does, for people. */
  readonly says: string;
}

/** A step that takes another one's effect back. It must bear being run where there is nothing to undo. */
export interface Compensation {
  readonly name: string;
  /** It gives the guest its life back: it runs before all others, whatever else fails. */
  readonly liveness?: true;
  readonly deadlineMs: number;
  readonly says: string;
}

/** What a case file says. */
export interface SagaSpec {
  /** `operation.condition.condition…`, the name of the case everywhere. */
  readonly id: string;
  /** Goes up with each change of shape; journals name it, golden journals hold it. */
  readonly version: number;
  readonly title: string;
  /** A paragraph for a reader who knows virtualisation and not XState. */
  readonly story: string;
  readonly steps: readonly SagaStep[];
}

/** A case: its specification and the machine made of it. */
export interface Saga extends SagaSpec {
  readonly machine: AnyStateMachine;
}

/** Why a machine left its way forward. `unknown`: the effect is in doubt. */
export interface Failure {
  readonly step: string;
  readonly code: string;
  readonly message: string;
  /** Called off before it began. */
  readonly begun?: false;
}

/** The whole memory of a machine: JSON, so that a journal can hold it. */
export interface SagaContext {
  /** The plan's decisions, parsed before the machine starts. */
  readonly input: unknown;
  /** Outputs of the forward steps so far, by step. */
  readonly results: Readonly<Record<string, unknown>>;
  /** Index of the furthest forward step that was entered and has not been taken back; -1 for none. */
  readonly reached: number;
  /** How often the present state's effect has failed. */
  readonly attempt: number;
  /** Failures that could not be made good, the first cause first. */
  readonly failures: readonly Failure[];
  /** Only the guest's life may still be touched. */
  readonly hold: boolean;
  /** Nobody knows whether the pivot happened: RECOVER asks again, before it goes either way. */
  readonly pivotInDoubt: boolean;
  /** Milliseconds, by step, where the plan knows better than the case file. */
  readonly deadlines: Readonly<Record<string, number>>;
}

/** What a state is, for the engine, the plan and the diagrams. */
export interface StateMeta {
  readonly kind: 'forward' | 'undo' | 'outcome';
  readonly step: string;
  readonly says: string;
  readonly window: boolean;
  readonly pivot: boolean;
  readonly liveness: boolean;
  /** Behind the pivot: an abort comes too late here. */
  readonly committed: boolean;
}

/** How a machine ends. */
export const OUTCOMES = ['committed', 'rolledBack', 'needsAttention'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** The input that a machine starts with. */
export interface SagaInput {
  readonly input: unknown;
  /** Deadlines in milliseconds, by step, where the plan knows better than the case file. */
  readonly deadlines: Readonly<Record<string, number>>;
}

/**
 * Make a case of its specification. Throws where the list of steps contradicts itself. The machine is
 * made when it is first asked for: a command runs one case, and making all thirty takes 90 ms.
 */
export function saga(spec: SagaSpec): Saga {
  refuseContradictions(spec);
  let machine: AnyStateMachine | undefined;
  return {
    ...spec,
    get machine() {
      machine ??= machineOf(spec);
      return machine;
    },
  };
}

function machineOf(spec: SagaSpec): AnyStateMachine {
  const layout = arrange(spec.steps);
  const states: Record<string, unknown> = {};
  spec.steps.forEach((step, index) => {
    states[step.name] = forwardState(layout, step, index);
  });
  for (const step of layout.undoOrder) {
    states[undoState(step.name)] = compensationState(layout, step);
  }
  Object.assign(states, outcomeStates(layout));
  const machine = createMachine({
    id: spec.id,
    version: String(spec.version),
    initial: spec.steps[0]?.name,
    context: ({ input }: { input: SagaInput | undefined }) => initialContext(input),
    states,
  } as never).provide({ delays: deadlines(spec.steps), actors: placeholders(spec.steps) } as never);
  return machine as unknown as AnyStateMachine;
}

/** The state in which a step's effect is taken back. */
export const undoState = (step: string): string => `undo ${step}`;

/** The name of an effect's deadline among the machine's delays. */
export const deadlineOf = (effect: string): string => `deadline of ${effect}`;

/** xstate builds inert actors without input for each pure transition; that context is never read. */
function initialContext(start: SagaInput | undefined): SagaContext {
  return {
    input: start?.input ?? null,
    deadlines: start?.deadlines ?? {},
    results: {},
    reached: 0,
    attempt: 0,
    failures: [],
    hold: false,
    pivotInDoubt: false,
  };
}

/** Effects are carried out by the engine, never by xstate: these only give their names a meaning. */
function placeholders(steps: readonly SagaStep[]): Record<string, unknown> {
  const never = fromPromise(() => new Promise<never>(() => {}));
  return Object.fromEntries(effectsOf(steps).map(({ name }) => [name, never]));
}

/** One named delay for each effect: the plan's deadline, else the vocabulary's. */
function deadlines(steps: readonly SagaStep[]): Record<string, unknown> {
  return Object.fromEntries(
    effectsOf(steps).map(({ name, deadlineMs }) => [
      deadlineOf(name),
      ({ context }: { context: SagaContext }) => context.deadlines[name] ?? deadlineMs,
    ]),
  );
}

const effectsOf = (steps: readonly SagaStep[]) =>
  steps.flatMap(step => (step.undo ? [step, step.undo] : [step]));

function refuseContradictions({ id, steps }: SagaSpec): void {
  const names = steps.map(step => step.name);
  if (names.length === 0) throw new Error(`${id}: a case needs at least one step`);
  if (new Set(names).size < names.length) throw new Error(`${id}: a step appears twice`);
  const pivots = steps.filter(step => step.pivot);
  if (pivots.length > 1) throw new Error(`${id}: more than one pivot`);
  const pivotAt = pivots[0] ? steps.indexOf(pivots[0]) : steps.length - 1;
  // Behind the pivot nothing is undone; only the guest's life may still be saved.
  const late = steps.find((step, index) => index > pivotAt && step.undo && !step.undo.liveness);
  if (late) throw new Error(`${id}: ${late.name} stands behind the pivot and cannot be undone`);
}
