import type { SignalEvent } from './events.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What a person's signals come to while an operation runs. */
export interface Interrupts {
  readonly abort: AbortSignal;
  readonly park: AbortSignal;
  /** The operation is over: a signal that comes now must not keep its result from being told. */
  settle(): void;
}

/** How the operation stands, when a signal comes. */
interface Standing {
  pastPivot(): boolean;
  goesBack(): boolean;
}

/**
 * The first signal calls the operation off, the second parks it; it never ends half-way by itself.
 * A terminal that closes sends SIGHUP twice, by its shell and by the kernel: that is nobody's second
 * thought, and nobody is left to type `domsnap recover`.
 */
export function interrupts(
  standing: () => Standing,
  told: (event: SignalEvent) => void,
): Interrupts {
  const abort = new AbortController();
  const park = new AbortController();
  let count = 0;
  let over = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (over) return;
    if (signal === 'SIGHUP' && count > 0) return;
    count += 1;
    if (count > 1) {
      park.abort(`${signal} came again`);
      const says = 'stopping at the next safe place; ‘domsnap recover’ goes on from there';
      told({ event: 'signal', signal, action: 'park', says });
      return;
    }
    abort.abort(`called off by ${signal}`);
    if (standing().pastPivot()) {
      const says = 'too late to call off: finishing (once more: stop here, for ‘domsnap recover’)';
      told({ event: 'signal', signal, action: 'too-late', says });
    } else {
      const says = standing().goesBack()
        ? 'already going back'
        : 'calling off: everything goes back to what it was (once more: stop here)';
      told({ event: 'signal', signal, action: 'abort', says });
    }
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    abort: abort.signal,
    park: park.signal,
    settle() {
      over = true;
    },
  };
}
