import type { Failpoints } from '../../src/engine/failpoint.ts';
import { StepError } from '../../src/engine/step.ts';
import type { CallContext } from '../../src/toolstacks/port.ts';
import type { World } from './world.ts';

/** The engine's process is gone. No StepError: nobody in that engine may handle it. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash';
}

/**
 * One engine's life in a world. Its ports act through it: once it is dead, nothing that its code still
 * runs (a `finally`, say) can touch the world.
 */
export class Life implements Failpoints {
  readonly world: World;
  hostDied = false;
  #alive = true;

  constructor(world: World) {
    this.world = world;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** The engine's own places: recorded, before, inside, after. */
  hit(place: string): void {
    this.#mustLive();
    const fault = this.world.strike(`engine ${place}`);
    if (fault?.kind === 'engine-dies' || fault?.kind === 'host-dies') this.#die(fault.kind);
    if (fault?.kind === 'domain-dies') this.world.domainDies();
  }

  /**
   * A moment within a deed: the world goes on, the call is logged, and misfortune may strike. A deed
   * is a row of changes with such a moment before the first and after each.
   */
  async moment(deed: string, context: CallContext): Promise<void> {
    this.#mustLive();
    await Promise.resolve();
    this.world.goOn(1);
    const { clock } = this.world;
    context.log({ tool: 'sim', command: deed, durationMs: 0, exit: 'ok', answerDigest: '' });
    clock.monotonicMs();
    const fault = this.world.strike(deed);
    switch (fault?.kind) {
      case 'engine-dies':
      case 'host-dies':
        return this.#die(fault.kind);
      case 'domain-dies':
        this.world.domainDies();
        break;
      case 'fails':
        throw new StepError(fault.code ?? 'io', `${deed} failed`);
      case 'hangs':
        await stopped(context.signal);
        throw new StepError('timeout', `${deed} did not answer`);
    }
    if (context.signal.aborted) throw new StepError('aborted', `${deed} was called off`);
  }

  /** Wait on the world's clock for something to become true. */
  async until(what: string, context: CallContext, ready: () => boolean): Promise<void> {
    while (!ready()) {
      await this.moment(what, context);
      await new Promise<void>(resolve => {
        const cancel = this.world.clock.after(20, done);
        function done() {
          cancel();
          context.signal.removeEventListener('abort', done);
          resolve();
        }
        context.signal.addEventListener('abort', done);
      });
    }
  }

  #mustLive(): void {
    if (!this.#alive) throw new SimulatedCrash('this engine is dead');
  }

  #die(kind: 'engine-dies' | 'host-dies'): never {
    this.#alive = false;
    this.hostDied = kind === 'host-dies';
    throw new SimulatedCrash(kind);
  }
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
