import type { DomainDisk } from '../catalog/model.ts';
import type { Refusal } from '../plan/refusal.ts';
import { typed } from '../plan/typed.ts';
import { managerOf, openVolumes } from '../plan/volumes.ts';
import { FILLING_PERCENT, FULL_PERCENT, percentUsed } from '../storages/fullness.ts';
import type { ManagedVolume, VolumeSnapshot } from '../storages/port.ts';
import type { Checkup } from './checkup.ts';
import { explained, type Finding } from './finding.ts';

/** What a volume manager says of the domain's disks and of their snapshots. */
export function examineVolumes(checkup: Checkup): Finding[] {
  const { facts } = checkup;
  const { domain } = facts;
  const seen = new Set<string>();
  return domain.disks.flatMap(disk => {
    const manager = managerOf(facts, disk.head);
    if (!manager) return [];
    const pool = manager.pool ? `${manager.group}/${manager.pool.name}` : '';
    const isNew = pool !== '' && !seen.has(pool);
    seen.add(pool);
    return [
      ...manager.snapshots.flatMap(snapshot => examineSnapshot(checkup, manager, snapshot)),
      ...openVolumes(facts, [disk]).map(inTheWay(domain.name)),
      ...(manager.merging ? [merging(checkup, disk, manager)] : []),
      ...(manager.suspended && !checkup.open ? [suspended(checkup, disk)] : []),
      ...(isNew ? fillingPool(checkup, manager) : []),
    ];
  });
}

/** What the next plan would refuse. */
const inTheWay =
  (domain: string) =>
  ({ code, message, hint }: Refusal): Finding =>
    explained({
      code,
      domain,
      what: message,
      meaning:
        'Whatever is written there is lost or destroys an image; nothing is begun as long as it is so.',
      hint,
    });

function examineSnapshot(
  checkup: Checkup,
  { group, kind }: ManagedVolume,
  snapshot: VolumeSnapshot,
): Finding[] {
  const { tag, broken, merging: onItsWay } = snapshot;
  const { facts } = checkup;
  const domain = facts.domain.name;
  const volume = `${group}/${tag}`;
  const owner = facts.snapshots.find(({ disks }) => disks.some(disk => disk.tag === tag))?.name;
  if (owner === undefined) {
    // What an open operation is about to make or to drop is its own business.
    if (onItsWay || checkup.open) return [];
    return [
      explained({
        code: 'orphan-volume',
        domain,
        what: `${volume} was made by domsnap, and belongs to no snapshot of ${domain}`,
        meaning:
          'It only takes room, and each write of the guest costs more as long as it is there.',
        hint: `'lvremove ${volume}', if nobody else uses it`,
      }),
    ];
  }
  if (broken !== null) {
    return [
      explained({
        code: 'lost-volume',
        domain,
        what: `${volume}, which holds a disk of ${owner}, is lost: ${broken}`,
        meaning: `${owner} cannot be reverted to. The disk itself is whole.`,
        hint: `${typed('delete', domain, owner)} takes it out of the tree`,
      }),
    ];
  }
  const percent = percentUsed(snapshot);
  if (kind !== 'lvm' || percent < FILLING_PERCENT) return [];
  return [
    explained(
      {
        code: 'filling-volume',
        domain,
        what: `${volume}, which holds a disk of ${owner}, has used ${percent} % of its room`,
        meaning: `When it is full LVM gives it up, and ${owner} is lost; the disk itself stays whole.`,
        hint: `'lvextend -l +50%LV ${volume}' gives it more; or ${typed('delete', domain, owner)}`,
      },
      percent >= FULL_PERCENT ? 'attention' : 'advice',
    ),
  ];
}

const merging = (
  { facts: { domain } }: Checkup,
  { device, head }: DomainDisk,
  { group }: ManagedVolume,
): Finding =>
  explained({
    code: 'merging-volume',
    domain: domain.name,
    what: `a snapshot is being merged into ${head.path}, ${device} of ${domain.name}`,
    meaning:
      'Nothing is begun as long as it is so. A merge that was put off begins when the volume is activated again.',
    hint: `'lvs -a ${group}' shows how far it is`,
  });

const suspended = ({ facts: { domain } }: Checkup, { device, head }: DomainDisk): Finding =>
  explained({
    code: 'suspended-volume',
    domain: domain.name,
    what: `${head.path}, ${device} of ${domain.name}, is suspended`,
    meaning:
      'Whoever reads or writes it waits. A command of LVM that was killed leaves it so, or somebody wants it so.',
    hint: `'lvchange --refresh ${head.path}' lets it go on`,
  });

function fillingPool({ facts: { domain } }: Checkup, { group, pool }: ManagedVolume): Finding[] {
  if (!pool) return [];
  const told = [
    ['data', pool.dataPercent, '-L +SIZE'],
    ['metadata', pool.metadataPercent, '--poolmetadatasize +SIZE'],
  ] as const;
  return told
    .filter(([, percent]) => percent >= FILLING_PERCENT)
    .map(([what, percent, extend]) =>
      explained(
        {
          code: 'filling-pool',
          domain: domain.name,
          what: `the ${what} of the thin pool ${group}/${pool.name} is ${Math.round(percent)} % full`,
          meaning: 'When it is full, writes of every guest on it fail.',
          hint: `'lvextend ${extend} ${group}/${pool.name}', or delete snapshots`,
        },
        percent >= FULL_PERCENT ? 'attention' : 'advice',
      ),
    );
}
