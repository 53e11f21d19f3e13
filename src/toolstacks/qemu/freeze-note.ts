import { StepError } from '../../engine/step.ts';
import type { Life } from './life.ts';
import { sameProcess } from './process.ts';

// An agent that does not answer may have been told to freeze by an earlier life: it is noted before it is told.

/** Note that the guest is about to be told. */
export function noteFreeze({ notes, monitor }: Life): void {
  notes.write({ frozen: monitor.process() ?? undefined });
}

/** Note that it has thawed. */
export function forgetFreeze({ notes }: Life): void {
  if (notes.read().frozen) notes.write({ frozen: undefined });
}

/** A `no-agent` that says that the guest was never told; where it may have been, `freeze-in-doubt`. */
export function unlessTold({ notes, monitor }: Life, error: unknown): unknown {
  if (!(error instanceof StepError) || error.code !== 'no-agent') return error;
  const { frozen } = notes.read();
  if (!frozen || !sameProcess(frozen, monitor.process())) return error;
  return new StepError('freeze-in-doubt', `${error.message}; the guest may be frozen`, {
    cause: error,
  });
}
