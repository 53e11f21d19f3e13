import { revertSafely } from '../operations/safe-revert.ts';
import type { RevertRequest } from '../plan/request.ts';
import type { Room } from '../plan/volumes.ts';
import type { Exit } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import { type MutateOptions, mutate } from './mutate.ts';

/** The options of `revert`: how the domain is to be afterwards, of which at most one is given, and room. */
export interface RevertOptions {
  readonly run?: true | undefined;
  readonly paused?: true | undefined;
  readonly off?: true | undefined;
  readonly lvmSize?: Room | undefined;
}

/** What is kept beside the abandoned heads, for an undo. */
export interface SafetyOption {
  readonly safety?: 'none' | 'checkpoint' | undefined;
}

/** What `revert` (or `plan revert`) asks for. */
export function revertRequest(domain: string, name: string, options: RevertOptions): RevertRequest {
  return {
    operation: 'revert',
    domain,
    name,
    runAfter: runAfterOf(options),
    room: options.lvmSize,
  };
}

/** How the domain is to be afterwards; undefined: as the snapshot says. */
export function runAfterOf({ run, paused, off }: RevertOptions): RevertRequest['runAfter'] {
  return run ? 'running' : paused ? 'paused' : off ? 'off' : undefined;
}

/** `domsnap revert`. */
export function revert(
  call: Invocation,
  domain: string,
  name: string,
  options: RevertOptions & SafetyOption & MutateOptions,
): Promise<Exit> {
  const carryOut = options.safety === 'checkpoint' ? revertSafely : undefined;
  return mutate(call, revertRequest(domain, name, options), options, carryOut);
}
