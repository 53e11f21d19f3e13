import type { Catalog, CatalogChange, DomainDisk } from '../catalog/model.ts';
import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { CaseInput } from './input.ts';

/** Record which image each disk writes to from now on, and which images hold the snapshots that stay. */
export const recordHeads = ({ catalog, toolstack }: Host) =>
  hostStep({
    input: CaseInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(input, context) {
      await toolstack.perform(configuration(input), context);
      const heads = headsChange(catalog, input.domain, headsAfter(input));
      return { output: {}, changes: [heads, ...imagesAfter(catalog, input)] };
    },
    // It records in any case.
    preview(input) {
      const commands = toolstack.preview(configuration(input));
      return commands.length > 0 ? commands : null;
    },
  });

const configuration = (input: CaseInput) => ({
  do: 'configureHeads' as const,
  heads: headsAfter(input).map(({ device, head }) => ({ device, volume: head })),
});

/** The record of new heads; disks that are not among them keep theirs. */
export function headsChange(
  catalog: Catalog,
  domain: string,
  heads: readonly DomainDisk[],
): CatalogChange {
  const before = catalog.domain(domain)?.disks ?? [];
  const disks = before.map(disk => heads.find(({ device }) => device === disk.device) ?? disk);
  return { catalog: 'heads', domain, disks };
}

/** A merged image takes the place of another before that one goes: no snapshot may name a gone file. */
function imagesAfter(catalog: Catalog, input: CaseInput): CatalogChange[] {
  if (input.operation !== 'delete') return [];
  return input.remaining.flatMap(({ domain, name, disks }) => {
    const before = catalog.snapshot(domain, name);
    return before ? [{ catalog: 'snapshot' as const, snapshot: { ...before, disks } }] : [];
  });
}

/** The heads that an operation leaves, of the disks that it touches. */
export function headsAfter(input: CaseInput): readonly DomainDisk[] {
  switch (input.operation) {
    case 'create':
      return input.disks.map(({ device, head, overlay }) => ({ device, head: overlay ?? head }));
    case 'revert':
      return input.disks.map(({ device, head, newHead }) => ({ device, head: newHead ?? head }));
    case 'delete':
    case 'repair':
      return input.heads;
    case 'gc':
      return [];
  }
}
