import { z } from 'zod';
import type { DomainDisk } from '../catalog/model.ts';
import { alwaysAgain, type Host, hostStep } from './host.ts';
import { CaseInput } from './input.ts';

/** Record which image each disk writes to from now on. */
export const recordHeads = ({ catalog }: Host) =>
  hostStep({
    input: CaseInput,
    output: z.object({}),
    probe: alwaysAgain,
    async act(input) {
      const before = catalog.domain(input.domain)?.disks ?? [];
      const after = headsAfter(input);
      const disks = before.map(disk => after.find(({ device }) => device === disk.device) ?? disk);
      return { output: {}, changes: [{ catalog: 'heads', domain: input.domain, disks }] };
    },
  });

/** The heads that an operation leaves, of the disks that it touches. */
export function headsAfter(input: CaseInput): readonly DomainDisk[] {
  switch (input.operation) {
    case 'create':
      return input.disks.map(({ device, head, overlay }) => ({ device, head: overlay ?? head }));
    case 'revert':
      return input.disks.map(({ device, head, newHead }) => ({ device, head: newHead ?? head }));
    case 'delete':
      return input.heads;
  }
}
