import { type Clock, sleep } from '../../src/engine/clock.ts';
import type { Failpoints } from '../../src/engine/failpoint.ts';
import { StepError } from '../../src/engine/step.ts';
import type { Journal } from '../../src/journal/port.ts';
import type { CallContext } from '../../src/toolstacks/port.ts';
import type { Power } from './power.ts';
import type { World } from './world.ts';

/** The engine's process is gone. No StepError: nobody in that engine may handle it. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash';
}

/** An engine waits 5 s for a call that it has told to stop. */
const PATIENCE_MS = 4_900;

/**
 * One engine's life in a world. Its ports act through it: once it is dead, nothing that its code still
 * runs (a `finally`, say) can touch the world.
 */
export class Life implements Failpoints {
  readonly world: World;
  /** This life's own hold on time: what it waits for is forgotten with it. */
  readonly clock: Clock;
  /** Rejects when it ends, whoever ended it. */
  readonly death: Promise<never>;
  hostDied = false;
  #alive = true;
  #end: (crash: SimulatedCrash) => void = () => {};
  readonly #power: Power | undefined;
  readonly #timers = new Set<() => void>();

  /** A life that asks and plans needs no power: nothing strikes it. */
  constructor(world: World, power?: Power) {
    this.world = world;
    this.#power = power;
    this.death = new Promise((_resolve, reject) => {
      this.#end = reject;
    });
    this.death.catch(() => {});
    const { clock } = world;
    this.clock = {
      now: () => clock.now(),
      monotonicMs: () => clock.monotonicMs(),
      newId: () => clock.newId(),
      after: (ms, callback) => this.#after(ms, callback),
    };
    power?.lives.add(this);
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** The engine's own places: recorded, before, inside, after. */
  hit(place: string): void {
    this.#mustLive();
    const fault = this.world.strike(`engine ${place}`);
    if (fault?.kind === 'engine-dies' || fault?.kind === 'host-dies') this.#dies(fault.kind);
    if (fault?.kind === 'domain-dies') this.world.domainDies();
  }

  /**
   * A moment within a deed: the world goes on, the call is logged, and misfortune may strike. A deed
   * is a row of changes with such a moment before the first and after each.
   */
  async moment(deed: string, context: CallContext): Promise<void> {
    this.#mustLive();
    for (let turns = this.#power?.turns() ?? 1; turns > 0; turns -= 1) await Promise.resolve();
    this.#mustLive();
    this.world.goOn(1);
    context.log({ tool: 'sim', command: deed, durationMs: 0, exit: 'ok', answerDigest: '' });
    const fault = this.world.strike(deed);
    switch (fault?.kind) {
      case 'engine-dies':
      case 'host-dies':
        return this.#dies(fault.kind);
      case 'domain-dies':
        this.world.domainDies();
        break;
      case 'fails':
        throw new StepError(fault.code ?? 'io', `${deed} failed`);
      case 'hangs':
        await stopped(context.signal);
        throw new StepError('timeout', `${deed} did not answer`);
      case 'late':
        await stopped(context.signal);
        await sleep(this.clock, fault.lateMs ?? 0);
        this.#mustLive();
        // Whoever is told to stop and does not, is killed; an answer that nobody waits for is none.
        if ((fault.lateMs ?? 0) > PATIENCE_MS) throw new StepError('timeout', `${deed}: too late`);
        return;
    }
    if (context.signal.aborted) throw new StepError('aborted', `${deed} was called off`);
  }

  /** Wait on the world's clock for something to become true. */
  async until(what: string, context: CallContext, ready: () => boolean): Promise<void> {
    while (!ready()) {
      await this.moment(what, context);
      await new Promise<void>(resolve => {
        const cancel = this.clock.after(20, done);
        function done() {
          cancel();
          context.signal.removeEventListener('abort', done);
          resolve();
        }
        context.signal.addEventListener('abort', done);
      });
    }
  }

  /** The journal for as long as this life lasts. */
  journal(journal: Journal): Journal {
    return {
      ...journal,
      open: (...args) => {
        this.#mustLive();
        return journal.open(...args);
      },
      append: (...args) => {
        this.#mustLive();
        return journal.append(...args);
      },
    };
  }

  /** Somebody or something ends this life: nothing that its code still waits for comes. */
  end(kind: 'engine-dies' | 'host-dies'): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.hostDied = kind === 'host-dies';
    this.over();
    this.#end(new SimulatedCrash(kind));
  }

  /** It has come to its end, this way or that. */
  over(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    this.#power?.lives.delete(this);
  }

  #after(ms: number, callback: () => void): () => void {
    if (!this.#alive) return () => {};
    const cancel = this.world.clock.after(ms, () => {
      this.#timers.delete(cancel);
      callback();
    });
    this.#timers.add(cancel);
    return () => {
      this.#timers.delete(cancel);
      cancel();
    };
  }

  #mustLive(): void {
    if (!this.#alive) throw new SimulatedCrash('this engine is dead');
  }

  #dies(kind: 'engine-dies' | 'host-dies'): never {
    if (kind === 'host-dies') this.#power?.cut();
    this.end(kind);
    throw new SimulatedCrash(kind);
  }
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
