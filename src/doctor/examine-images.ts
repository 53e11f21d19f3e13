import type { Snapshot } from '../catalog/model.ts';
import { typed } from '../plan/typed.ts';
import { chainOf } from '../plan/walk-images.ts';
import type { Checkup } from './checkup.ts';
import { LAYERS_MANY, layersOf } from './examine-heads.ts';
import { explained, type Finding } from './finding.ts';

/** Whether every image and memory file is there, readable, and what the record says. */
export function examineImages(checkup: Checkup): Finding[] {
  const { facts } = checkup;
  return [
    ...unreadable(checkup),
    ...facts.snapshots.flatMap(snapshot => [
      ...missingTags(checkup, snapshot),
      ...badMemory(checkup, snapshot),
    ]),
    ...holders(checkup),
    ...forbidden(checkup),
    ...longChains(checkup),
  ];
}

function unreadable(checkup: Checkup): Finding[] {
  const { facts, inTrash } = checkup;
  const { name } = facts.domain;
  return [...facts.unreadable].flatMap(([path, why]) => {
    const missing = why.endsWith('is not there');
    const trashed = inTrash.get(path);
    const needs = whoNeeds(checkup, path);
    // A disk that is not part of a snapshot is named in it, but not needed by it.
    if (needs.length === 0) return [];
    return explained({
      code: missing ? 'missing-image' : 'bad-image',
      domain: name,
      what: why,
      meaning: `${needs.join(', ')} cannot be used as long as it is so; the others are whole.`,
      hint:
        missing && trashed !== undefined
          ? `it lies in the trash: mv -n '${trashed}' '${path}'`
          : missing
            ? 'put it back from a backup, or delete the snapshots that need it'
            : `${path.endsWith('.vhd') ? `'vhdiinfo ${path}'` : `'qemu-img check ${path}'`} says more; restore it from a backup`,
    });
  });
}

/** The heads and snapshots that stand on an image. */
function whoNeeds({ facts }: Checkup, path: string): string[] {
  const stands = (volume: Parameters<typeof chainOf>[1]) =>
    chainOf(facts, volume).some(layer => layer.path === path);
  return [
    ...facts.domain.disks
      .filter(({ head }) => stands(head))
      .map(({ device }) => `${device} of ${facts.domain.name}`),
    ...facts.snapshots
      .filter(({ state }) => state === 'usable')
      .filter(({ disks }) => disks.some(({ mode, image }) => mode !== 'none' && stands(image)))
      .map(snapshot => snapshot.name),
  ];
}

function missingTags({ facts }: Checkup, { name, disks, state }: Snapshot): Finding[] {
  if (state !== 'usable') return [];
  return disks.flatMap(({ device, image, tag }) => {
    const tags = facts.images.get(image.path)?.tags;
    if (tag === undefined || !tags || tags.includes(tag)) return [];
    return [
      explained({
        code: 'missing-tag',
        domain: facts.domain.name,
        what: `${image.path} has no internal snapshot ${tag}, which holds ${device} of ${name}`,
        meaning: `Somebody has deleted it behind domsnap’s back: ${name} cannot be reverted to.`,
        hint: `${typed('delete', facts.domain.name, name)} takes it out of the tree`,
      }),
    ];
  });
}

function badMemory({ facts, inTrash, exposed }: Checkup, snapshot: Snapshot): Finding[] {
  const { name, memory, state } = snapshot;
  if (!memory || memory.inside !== undefined || state !== 'usable') return [];
  const found = facts.memoryFiles.get(memory.path);
  const domain = facts.domain.name;
  const right = found !== undefined && Math.abs(found - memory.bytes) < 512;
  if (!right) {
    const what =
      found === undefined ? 'is not there' : `is ${found} bytes long, not ${memory.bytes}`;
    const trashed = inTrash.get(memory.path);
    const disksOnly = `${typed('revert', domain, name, '--off')} goes back to its disks alone`;
    return [
      explained({
        code: 'missing-memory',
        domain,
        what: `the memory file ${memory.path} of ${name} ${what}`,
        meaning: `${name} is good for its disks, not for its memory.`,
        hint: trashed ? `it lies in the trash: mv -n '${trashed}' '${memory.path}'` : disksOnly,
      }),
    ];
  }
  if (!exposed.includes(memory.path)) return [];
  return [
    explained(
      {
        code: 'exposed-memory',
        domain,
        what: `others may read the memory file ${memory.path} of ${name}`,
        meaning: 'It holds what the guest had in memory, its keys and passwords too.',
        hint: `chmod 600 '${memory.path}'`,
      },
      'advice',
    ),
  ];
}

function holders({ facts }: Checkup): Finding[] {
  return [...facts.holders].map(([path, pids]) =>
    explained({
      code: 'in-use',
      domain: facts.domain.name,
      what: `${path} is open in process ${pids.join(', ')}, while ${facts.domain.name} is off`,
      meaning: 'Two writers destroy an image; nothing is begun as long as it is so.',
      hint: `'ps -o args -p ${pids[0]}' shows what it is; end it if it should not run`,
    }),
  );
}

function forbidden({ facts, forbidden: found }: Checkup): Finding[] {
  return found.map(({ path, why }) =>
    explained({
      code: 'no-permission',
      domain: facts.domain.name,
      what: `${path} ${why}`,
      meaning: 'Operations on the domain would be refused or fail.',
      hint: `'ls -ld ${path}' shows who may; run domsnap as that user, or change the owner`,
    }),
  );
}

function longChains(checkup: Checkup): Finding[] {
  const { domain } = checkup.facts;
  return domain.disks
    .filter(disk => layersOf(checkup, disk) > LAYERS_MANY)
    .map(disk =>
      explained(
        {
          code: 'long-chain',
          domain: domain.name,
          what: `${disk.device} of ${domain.name} stands on ${layersOf(checkup, disk)} images`,
          meaning:
            'Every layer slows reading down; very long chains have kept domains from starting.',
          hint: `${typed('list', domain.name)} shows what could be deleted`,
        },
        'advice',
      ),
    );
}
