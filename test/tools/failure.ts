import { expect } from 'vitest';
import { ToolError } from '../../src/tools/tool-error.ts';

/** The ToolError that a promise must reject with. */
export async function failureOf(promise: Promise<unknown>): Promise<ToolError> {
  const outcome = await promise.then(
    value => ({ value }),
    (error: unknown) => ({ error }),
  );
  expect(outcome).toHaveProperty('error');
  const error = 'error' in outcome ? outcome.error : undefined;
  expect(error).toBeInstanceOf(ToolError);
  return error as ToolError;
}
