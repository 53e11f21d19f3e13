import type { Catalog, CatalogChange, DomainDisk } from '../catalog/model.ts';
import { StepError } from '../engine/step.ts';
import type { LiveDisk } from '../toolstacks/port.ts';
import { alwaysAgain, type Host, hostStep, Nothing } from './host.ts';
import { CaseInput, type CreateDisk } from './input.ts';

/** Record which image each disk writes to from now on, and which images hold the snapshots that stay. */
export const recordHeads = ({ catalog, toolstack }: Host) =>
  hostStep({
    input: CaseInput,
    output: Nothing,
    probe: alwaysAgain,
    async act(input, context) {
      if (input.operation === 'create') refuseLies(input.disks, await toolstack.liveDisks(context));
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

/**
 * Somebody else may have put an image between a head and its overlay in the instant before the overlay was
 * taken: the running domain reads it then, and its next start would not. Throws StepError `head-moved`.
 */
function refuseLies(disks: readonly CreateDisk[], live: readonly LiveDisk[]): void {
  for (const { device, head, overlay } of disks) {
    const chain = live.find(disk => disk.device === device)?.chain ?? [];
    const at = chain.findIndex(({ path }) => path === overlay?.path);
    const below = at < 0 ? undefined : chain[at + 1]?.path;
    if (below === undefined || below === head.path) continue;
    const message = `${device}: ${overlay?.path} was made over ${head.path}, and the running domain has ${below} between them, which somebody else has put there; before it is stopped, have the overlay take that up (under libvirt: virsh blockpull DOMAIN ${device} --base ${head.path} --wait), then recover`;
    throw new StepError('head-moved', message, { retryable: false });
  }
}

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
