import type { DeleteRequest } from '../plan/request.ts';
import type { Exit } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import { type MutateOptions, mutate } from './mutate.ts';

/** The options of `delete`: at most one is given. */
export interface DeleteOptions {
  readonly children?: true | undefined;
  readonly childrenOnly?: true | undefined;
}

/** What `delete` (or `plan delete`) asks for. */
export function deleteRequest(domain: string, name: string, options: DeleteOptions): DeleteRequest {
  const { children, childrenOnly } = options;
  const extent = childrenOnly ? 'children-only' : children ? 'children' : 'one';
  return { operation: 'delete', domain, name, extent };
}

/** `domsnap delete`. */
export function deleteSnapshot(
  call: Invocation,
  domain: string,
  name: string,
  options: DeleteOptions & MutateOptions,
): Promise<Exit> {
  return mutate(call, deleteRequest(domain, name, options), options);
}
