import type { RevertRequest } from '../plan/request.ts';
import type { Exit } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import { type MutateOptions, mutate } from './mutate.ts';

/** The options of `revert`: at most one is given. */
export interface RevertOptions {
  readonly run?: true | undefined;
  readonly paused?: true | undefined;
  readonly off?: true | undefined;
}

/** What `revert` (or `plan revert`) asks for. */
export function revertRequest(domain: string, name: string, options: RevertOptions): RevertRequest {
  const { run, paused, off } = options;
  const runAfter = run ? 'running' : paused ? 'paused' : off ? 'off' : undefined;
  return { operation: 'revert', domain, name, runAfter };
}

/** `domsnap revert`. */
export function revert(
  call: Invocation,
  domain: string,
  name: string,
  options: RevertOptions & MutateOptions,
): Promise<Exit> {
  return mutate(call, revertRequest(domain, name, options), options);
}
