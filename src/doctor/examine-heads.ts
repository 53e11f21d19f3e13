import type { DomainDisk } from '../catalog/model.ts';
import { typed } from '../plan/typed.ts';
import { chainOf } from '../plan/walk-images.ts';
import type { LiveDisk } from '../toolstacks/port.ts';
import type { Checkup } from './checkup.ts';
import { explained, type Finding, repairable } from './finding.ts';

/** Whether the running domain writes where the record says, and to nothing that must not change. */
export function examineHeads(checkup: Checkup): Finding[] {
  const { facts, open } = checkup;
  const running = facts.view.runState === 'running' || facts.view.runState === 'paused';
  return [
    ...(running && !open ? facts.domain.disks.flatMap(disk => stale(checkup, disk)) : []),
    ...(open ? [] : facts.domain.disks.flatMap(disk => written(checkup, disk))),
  ];
}

function stale({ facts, owners }: Checkup, { device, head }: DomainDisk): Finding[] {
  const { domain, view } = facts;
  const live: LiveDisk | undefined = view.disks.find(disk => disk.device === device);
  const now = live?.chain[0];
  if (!now || now.path === head.path) return [];
  const told = {
    code: 'stale-head',
    domain: domain.name,
    what: `${device} of ${domain.name} writes to ${now.path}, but is recorded on ${head.path}`,
  };
  const owner = (owners.get(now.path) ?? [])[0];
  if (owner !== undefined) {
    return [
      explained({
        ...told,
        meaning: `That image is ${owner}: it changes with each write.`,
        hint: `${typed('domain', 'stop', domain.name)} ends that, 'domsnap domain start' uses the recorded head`,
      }),
    ];
  }
  const repair = { kind: 'heads' as const, heads: [{ device, head: now }] };
  const above = live.chain.some(({ path }) => path === head.path);
  const meaning = above
    ? 'A snapshot was taken behind domsnap’s back. Started on the recorded head, the domain would lose what it has written since.'
    : 'The disk was merged or exchanged behind domsnap’s back. Which of the two images holds the truth, domsnap cannot prove; the running one gets all writes.';
  return [repairable({ ...told, meaning }, repair, { proven: above })];
}

/** A head that something else stands on, or that a snapshot says never changes. */
function written({ facts, owners }: Checkup, { device, head }: DomainDisk): Finding[] {
  const { domain, images, snapshots } = facts;
  const told = { domain: domain.name };
  const frozenIn = snapshots.find(
    ({ state, disks }) =>
      state === 'usable' &&
      disks.some(({ mode, image }) => mode === 'external' && image.path === head.path),
  );
  if (frozenIn) {
    return [
      explained({
        ...told,
        code: 'written-snapshot',
        what: `${device} of ${domain.name} writes to ${head.path}, which holds the snapshot ${frozenIn.name}`,
        meaning: `${frozenIn.name} has not the content any more that it had, or will lose it.`,
        hint: `${typed('delete', domain.name, frozenIn.name)} if it is not needed; else restore the image from a backup`,
      }),
    ];
  }
  const child = [...images.values()].find(({ backing }) => backing?.path === head.path);
  const other = (owners.get(head.path) ?? []).find(who => !who.endsWith(` of ${domain.name}`));
  if (!child && other === undefined) return [];
  const whom = child ? `${child.volume.path} stands on it` : `it is ${other}`;
  return [
    explained({
      ...told,
      code: 'shared-head',
      what: `${device} of ${domain.name} writes to ${head.path}, and ${whom}`,
      meaning: 'Each write changes the content of the other one, too.',
      hint: `${typed('domain', 'show', domain.name)} shows the chains; give one of the two a copy of its own`,
    }),
  ];
}

/** More layers than this have kept domains from starting. */
export const LAYERS_MANY = 25;

/** How many images a disk stands on. */
export const layersOf = ({ facts }: Checkup, { head }: DomainDisk): number =>
  chainOf(facts, head).length;
