import type { Snapshot } from '../catalog/model.ts';
import { StepError } from '../engine/step.ts';
import { type Host, hostStep, Nothing } from './host.ts';
import { CreateInput } from './input.ts';

/** Take the name in the tree. The row is marked `creating`, so that nobody takes it for usable. */
export const reserve = ({ catalog }: Host) =>
  hostStep({
    input: CreateInput,
    output: Nothing,
    async probe({ domain, name }, { operation }) {
      const held = catalog.snapshot(domain, name);
      return held?.operation === operation ? { state: 'present', output: {} } : { state: 'absent' };
    },
    async act(input, { operation }) {
      if (catalog.snapshot(input.domain, input.name)) {
        throw new StepError('exists', `${input.domain} already has a snapshot ${input.name}`, {
          retryable: false,
        });
      }
      return { output: {}, changes: [{ catalog: 'snapshot', snapshot: draft(input, operation) }] };
    },
  });

/** The snapshot as far as it is known before anything was done. */
export function draft(input: CreateInput, operation: string): Snapshot {
  return {
    operation,
    domain: input.domain,
    name: input.name,
    parent: input.parent,
    createdAt: input.at,
    kind: 'snapshot',
    state: 'creating',
    description: input.description,
    consistency: 'crash-consistent',
    why: 'not finished',
    disks: input.disks.map(({ device, mode, head, tag }) => ({
      device,
      mode,
      image: head,
      ...(tag === undefined ? {} : { tag }),
    })),
    memory: null,
  };
}
