import type { Saga } from '../../machines/saga.ts';
import type { Decision } from './decide.ts';

/**
 * Watches over an engine from outside of its process. If the engine dies, or hangs while the guest
 * stands still, the watchdog sees that its operation is recovered. Nothing here may throw or wait: an
 * operation without a watchdog is better than none.
 */
export interface Watchdog {
  /** Begin to watch over an operation of this process. When it returns, the watch stands. */
  arm(operation: string): Watch;
}

/** The watch over one operation. */
export interface Watch {
  /** The guest is about to stand still or freeze: from here on the engine must give signs of life. */
  standsStill(): void;
  /** The guest has its life back: the engine may take its time. */
  lives(): void;
  /** The operation has come to an outcome, or was left open on purpose. */
  letGo(): void;
  /** This engine cannot go on: the operation is to be recovered as if its process had died. */
  handOver(): void;
}

/**
 * Whether the guest may stand still, be frozen or be down in a state: in the window, from a step whose
 * undo is the guest's life to the step that gives it back, and on every way back, since tidying may stop
 * the guest too.
 */
export function mayStandStill({ steps }: Saga, { meta }: Pick<Decision, 'meta'>): boolean {
  if (meta.kind === 'outcome') return false;
  if (meta.kind === 'undo' || meta.window) return true;
  const here = steps.findIndex(({ name }) => name === meta.step);
  return steps.slice(0, here + 1).some(({ undo }, from) => {
    if (!undo?.liveness) return false;
    const givesBack = steps.findIndex(({ name }, at) => at > from && name === undo.name);
    return givesBack < 0 || givesBack >= here;
  });
}

/** What an engine tells its watchdog, in the order in which it must be told. */
export interface Vigil {
  /** Before a record is written: what it names may stop the guest. */
  before(next: Decision): void;
  /** After a record is durable: what it closes is over. */
  after(next: Decision): void;
  letGo(): void;
  handOver(): void;
}

/**
 * Stand watch over an operation, unless no step of its case ever touches the guest's life: then a death
 * of the engine hurts nobody, and `recover` has time.
 */
export function vigil(
  watchdog: Watchdog | undefined,
  saga: Saga,
  operation: string,
): Vigil | undefined {
  if (!watchdog || !saga.steps.some(({ undo }) => undo?.liveness)) return undefined;
  const watch = watchdog.arm(operation);
  let still = false;
  return {
    before(next) {
      if (still || !mayStandStill(saga, next)) return;
      still = true;
      watch.standsStill();
    },
    after(next) {
      if (!still || mayStandStill(saga, next)) return;
      still = false;
      watch.lives();
    },
    letGo: () => watch.letGo(),
    handOver: () => watch.handOver(),
  };
}
