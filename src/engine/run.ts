import type { Outcome, Saga } from '../../machines/saga.ts';
import type { Journal, JournalRecord, PendingEffect, Status } from '../journal/port.ts';
import { carryOut, type Fulfilled } from './carry-out.ts';
import { type Clock, sleep } from './clock.ts';
import { advance, begin, type Decision, replay } from './decide.ts';
import type { Fact, Who } from './fact.ts';
import type { Failpoints } from './failpoint.ts';
import type { Json } from './json.ts';
import type { Locks } from './lock.ts';
import { saveLife } from './save-life.ts';
import type { Progress, Steps, ToolCallRecord } from './step.ts';
import { type Vigil, vigil, type Watchdog } from './watchdog.ts';

/** What an engine works with. */
export interface Engine {
  readonly journal: Journal;
  readonly locks: Locks;
  readonly clock: Clock;
  readonly who: Who;
  readonly failpoints?: Failpoints;
  readonly observer?: Observer;
  /** Recovers the operation should this process die; without one, the next life does. */
  readonly watchdog?: Watchdog;
}

/** Watches an operation, for progress; it can change nothing. */
export interface Observer {
  /**
   * A transition was recorded, at a time of the clock that only goes forward. What happens in the window
   * is told when the guest runs again: it does not stand still for whoever watches.
   */
  recorded?(record: JournalRecord, decision: Decision, atMs: number): void;
  progressed?(effect: PendingEffect, progress: Progress): void;
  called?(effect: PendingEffect, call: ToolCallRecord): void;
}

/** A run of a case: the machine, the steps that carry it out, and a way to call it off. */
export interface Run {
  readonly saga: Saga;
  readonly steps: Steps;
  /** Fires to abort: the operation compensates, unless it is behind its pivot. */
  readonly abort?: AbortSignal;
  /** Fires to let go at the next place where the guest does not stand still; `recover` goes on. */
  readonly park?: AbortSignal;
}

/** A new operation. */
export interface Start extends Run {
  readonly id: string;
  readonly subject: string;
  readonly input: unknown;
  readonly deadlines: Readonly<Record<string, number>>;
}

/** How a run ended. `parked`: it is still open. */
export interface Ending {
  readonly operation: string;
  readonly outcome: Outcome | 'parked';
  readonly decision: Decision;
}

/** Run a new operation to an outcome. The caller holds the subject's lock. */
export async function start(engine: Engine, run: Start): Promise<Ending> {
  const fact: Fact & { type: 'started' } = {
    type: 'started',
    input: run.input,
    deadlines: run.deadlines,
    who: engine.who,
  };
  const decision = begin(run.saga.machine, fact);
  const life = new Life(engine, run, run.id, decision, 0);
  life.open(run, fact);
  return life.live();
}

/**
 * Take an open operation up again, where its last life left it. The caller holds the subject's lock.
 * Whatever was pending is in doubt, and is asked about before anything is done.
 */
export async function resume(engine: Engine, run: Run, operation: string): Promise<Ending> {
  const records = engine.journal.records(operation);
  const decision = replay(
    run.saga.machine,
    records.map(record => record.fact),
  );
  const last = records.at(-1);
  if (last?.to !== decision.state) {
    throw new Error(`${operation}: the journal says ${last?.to}, the machine ${decision.state}`);
  }
  const life = new Life(engine, run, operation, decision, records.length);
  if (decision.meta.kind === 'outcome') {
    if (decision.state !== 'needsAttention') return life.ending();
    life.take({ type: 'recover', who: engine.who });
  }
  return life.live(true);
}

/** One process's share of an operation. */
class Life {
  readonly #engine: Engine;
  readonly #run: Run;
  readonly #operation: string;
  #decision: Decision;
  #seq: number;
  #records = 0;
  /** What an observer has not heard yet. */
  readonly #untold: (() => void)[] = [];
  #vigil: Vigil | undefined;
  /** A fail point has struck: this life does nothing more, as if its process were gone. */
  #killed = false;
  readonly #failpoints: Failpoints = {
    hit: place => {
      try {
        this.#engine.failpoints?.hit(place);
      } catch (death) {
        this.#killed = true;
        throw death;
      }
    },
  };

  constructor(engine: Engine, run: Run, operation: string, decision: Decision, seq: number) {
    this.#engine = engine;
    this.#run = run;
    this.#operation = operation;
    this.#decision = decision;
    this.#seq = seq;
  }

  /** The first record: it opens the operation and names the first effect, durably. */
  open({ subject, saga }: Start, fact: Fact): void {
    const { journal, clock } = this.#engine;
    const operation = {
      id: this.#operation,
      subject,
      caseId: saga.id,
      caseVersion: saga.version,
      status: 'open' as const,
      openedAt: clock.now(),
      closedAt: null,
    };
    const record = journal.open(operation, this.#record(fact, '', []), []);
    this.#recorded(record);
  }

  /** Effect after effect, each recorded before it begins, to an outcome. */
  async live(resumed = false): Promise<Ending> {
    const { clock, watchdog } = this.#engine;
    const operation = this.#operation;
    this.#vigil = vigil(watchdog, this.#run.saga, operation);
    this.#vigil?.before(this.#decision);
    try {
      const ending = await this.#toItsEnd(resumed);
      this.#vigil?.letGo();
      return ending;
    } catch (error) {
      if (!this.#killed) {
        await saveLife(this.#run, this.#decision, { operation, clock });
        this.#vigil?.handOver();
      }
      throw error;
    }
  }

  async #toItsEnd(resumed: boolean): Promise<Ending> {
    let inDoubt = resumed;
    while (this.#decision.wanted.length > 0) {
      if (this.#mayPark()) return { ...this.ending(), outcome: 'parked' };
      const fulfilled = await this.#fulfil(inDoubt);
      inDoubt = false;
      this.take(fulfilled.fact, fulfilled.changes, fulfilled.calls);
    }
    return this.ending();
  }

  ending(): Ending {
    const outcome = this.#decision.state as Outcome;
    return { operation: this.#operation, outcome, decision: this.#decision };
  }

  /** Decide, then make it durable. What follows from it starts only after this returns. */
  take(fact: Fact, changes: readonly Json[] = [], calls: readonly ToolCallRecord[] = []): void {
    const before = this.#decision;
    const decision = advance(this.#run.saga.machine, before, fact);
    this.#decision = decision;
    // The window's opening and closing records wait for the disk; those in between must not keep the
    // guest waiting, and need not: a host that dies closes the window by itself. But what the catalog
    // learns must not be lost with it.
    const inside = before.meta.window && decision.meta.window;
    const durable = !inside || changes.length > 0;
    const record = this.#record(fact, before.state, calls);
    const status = statusOf(decision);
    this.#vigil?.before(decision);
    this.#recorded(this.#engine.journal.append(record, { durable, status, changes }));
    this.#vigil?.after(decision);
  }

  async #fulfil(inDoubt: boolean): Promise<Fulfilled> {
    const wanted = this.#decision.wanted[0] as { id: string; step: string };
    const { meta, context } = this.#decision;
    const { clock, observer } = this.#engine;
    const effect: PendingEffect = { key: this.#key(wanted.step), ...wanted };
    if (context.attempt > 0) await sleep(clock, retryDelayMs(context.attempt), this.#run.park);
    const step = this.#run.steps[wanted.step];
    if (!step) throw new Error(`no step carries out ${wanted.step}`);
    return carryOut({
      effect,
      step,
      decision: this.#decision,
      operation: this.#operation,
      doubt: doubtOf(this.#decision, inDoubt),
      abort: meta.kind === 'forward' && !meta.committed ? this.#run.abort : undefined,
      clock,
      failpoints: this.#failpoints,
      called: call => observer?.called?.(effect, call),
      progressed: progress => {
        this.#tell();
        observer?.progressed?.(effect, progress);
      },
    });
  }

  #mayPark(): boolean {
    return this.#run.park?.aborted === true && !this.#decision.meta.window;
  }

  #key(step: string): string {
    return `${this.#operation}/${this.#seq - 1}/${step}`;
  }

  #record(fact: Fact, from: string, calls: readonly ToolCallRecord[]) {
    const seq = this.#seq;
    this.#seq += 1;
    return {
      operation: this.#operation,
      seq,
      at: this.#engine.clock.now(),
      fact,
      from,
      to: this.#decision.state,
      effects: this.#decision.wanted.map(({ id, step }) => ({ key: this.#key(step), id, step })),
      calls,
    };
  }

  #recorded(record: JournalRecord): void {
    this.#records += 1;
    this.#failpoints.hit(`record:${this.#records}`);
    const { clock, observer } = this.#engine;
    const decision = this.#decision;
    const atMs = clock.monotonicMs();
    this.#untold.push(() => observer?.recorded?.(record, decision, atMs));
    if (!decision.meta.window) this.#tell();
  }

  #tell(): void {
    for (const news of this.#untold.splice(0)) news();
  }
}

/**
 * How to meet an effect. A guest that stands still since its engine died is not kept waiting for the
 * rest of the window: only a pivot is asked whether it happened; all else in the window goes back.
 */
function doubtOf(
  { meta, context }: Decision,
  inDoubt: boolean,
): 'none' | 'ask' | 'ask-or-abort' | 'abort' {
  if (!inDoubt) return context.attempt > 0 ? 'ask' : 'none';
  if (meta.kind === 'forward' && meta.window && !meta.committed) {
    return meta.pivot ? 'ask-or-abort' : 'abort';
  }
  return 'ask';
}

function statusOf({ state, meta }: Decision): Status {
  return meta.kind === 'outcome' ? (state as Outcome) : 'open';
}

/** 0.1 s, 0.4 s, 1.6 s: long enough for a tool that is about to let go, short for a guest that waits. */
const retryDelayMs = (attempt: number): number => 100 * 4 ** (attempt - 1);
