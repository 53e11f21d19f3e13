import { StepError } from '../engine/step.ts';
import { refuse } from '../plan/refusal.ts';

/** Outside an operation nothing was begun that would have to be undone: a failure is a refusal. */
export async function toRefusal<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof StepError) throw refuse(error.code, error.message);
    throw error;
  }
}
