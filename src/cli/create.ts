import type { CreateRequest } from '../plan/request.ts';
import type { Room } from '../plan/volumes.ts';
import type { Exit } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import { type MutateOptions, mutate } from './mutate.ts';

/** The options of `create`, as typed. */
export type CreateOptions = Pick<
  CreateRequest,
  'memory' | 'disks' | 'disk' | 'quiesce' | 'description'
> & { readonly lvmSize?: Room | undefined };

/** What `create` (or `plan create`) asks for. */
export function createRequest(
  domain: string,
  name: string | undefined,
  { lvmSize, ...options }: CreateOptions,
): CreateRequest {
  const { memory, disks, disk, quiesce, description } = options;
  return {
    operation: 'create',
    domain,
    name,
    memory,
    disks,
    disk,
    quiesce,
    description,
    room: lvmSize,
  };
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
