import type { CreateRequest } from '../plan/request.ts';
import type { Exit } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import { type MutateOptions, mutate } from './mutate.ts';

/** The options of `create`, as typed. */
export type CreateOptions = Pick<
  CreateRequest,
  'memory' | 'disks' | 'disk' | 'quiesce' | 'description'
>;

/** What `create` (or `plan create`) asks for. */
export function createRequest(
  domain: string,
  name: string | undefined,
  { memory, disks, disk, quiesce, description }: CreateOptions,
): CreateRequest {
  return { operation: 'create', domain, name, memory, disks, disk, quiesce, description };
}

/** `domsnap create`. */
export function create(
  call: Invocation,
  domain: string,
  name: string | undefined,
  options: CreateOptions & MutateOptions,
): Promise<Exit> {
  return mutate(call, createRequest(domain, name, options), options);
}
