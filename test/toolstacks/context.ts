import { expect } from 'vitest';
import { StepError, type ToolCallRecord } from '../../src/engine/step.ts';
import type { CallContext } from '../../src/toolstacks/port.ts';

/** A context for calls outside an operation, with what was called. */
export function callContext(
  options: { signal?: AbortSignal; progress?: CallContext['progress'] } = {},
): CallContext & { readonly calls: ToolCallRecord[] } {
  const calls: ToolCallRecord[] = [];
  return {
    key: 'op1/1/step',
    signal: options.signal ?? new AbortController().signal,
    progress: options.progress ?? (() => {}),
    log: call => calls.push(call),
    calls,
  };
}

/** The StepError that a promise must reject with. */
export async function stepErrorOf(promise: Promise<unknown>): Promise<StepError> {
  const outcome = await promise.then(
    value => ({ value }),
    (error: unknown) => ({ error }),
  );
  expect(outcome).toHaveProperty('error');
  const error = 'error' in outcome ? outcome.error : undefined;
  expect(error).toBeInstanceOf(StepError);
  return error as StepError;
}
