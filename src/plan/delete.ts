import { dirname } from 'node:path';
import { type DomainDisk, isManaged, memoryFile, type Snapshot } from '../catalog/model.ts';
import type { DeleteInput } from '../steps/input.ts';
import { bulkDeadlineMs, type Draft, type Note, spaceNeeds } from './draft.ts';
import { type MergeAnswer, planMerges } from './merges.ts';
import { checkName } from './names.ts';
import { type Refusal, refuse } from './refusal.ts';
import type { DeleteRequest } from './request.ts';
import { commonRefusals, type Survey } from './survey.ts';
import { typed } from './typed.ts';
import { heldSnapshots, openVolumes, sharedSnapshots } from './volumes.ts';
import { chainOf } from './walk-images.ts';

/** Plan a delete. Pure; throws RefusedError where there is nothing to plan with. */
export function draftDelete(request: DeleteRequest, facts: Survey): Draft {
  const { domain, view, at } = facts;
  checkName('snapshot', request.name);
  const extent = request.extent ?? 'one';
  const target = facts.snapshots.find(({ name }) => name === request.name);
  if (!target) {
    throw refuse(
      'unknown-snapshot',
      `${domain.name} has no snapshot ${request.name}`,
      `${typed('list', domain.name)} shows those it has`,
    );
  }
  const victims = victimsOf(target, extent, facts.snapshots);
  const names = new Set(victims.map(({ name }) => name));
  const staying = facts.snapshots.filter(({ name }) => !names.has(name));
  const back = request.back ?? false;
  const merges = domain.disks.map(disk => mergesOf(disk, victims, staying, facts, back));
  const replaced = new Map(merges.flatMap(merge => [...merge.replaced]));
  const trash = merges.flatMap(merge => merge.trash);
  const runBefore = runStateOf(view.runState);
  const heads = domain.disks.map(({ device, head }) => ({
    device,
    head: replaced.get(head.path) ?? head,
  }));
  const input: DeleteInput = {
    operation: 'delete',
    domain: domain.name,
    name: target.name,
    at,
    runBefore,
    runAfter: runBefore,
    victims: [...names],
    mergesUp: merges.flatMap(({ up }) => up),
    mergesDown: merges.flatMap(({ down }) => down),
    tags: tagsOf(victims, trash, heads, runBefore !== 'off', replaced),
    trash: [...new Set([...trash, ...memoryOf(victims, staying)])],
    heads,
    current: ancestorOf(domain.current, names, facts.snapshots),
    remaining: rewritten(staying, names, replaced, facts.snapshots),
  };
  return assemble(
    input,
    target,
    victims,
    extent,
    facts,
    merges.flatMap(({ notes }) => notes),
  );
}

function assemble(
  input: DeleteInput,
  target: Snapshot,
  victims: readonly Snapshot[],
  extent: NonNullable<DeleteRequest['extent']>,
  facts: Survey,
  notes: readonly Note[],
): Draft {
  const moves = [...input.mergesUp, ...input.mergesDown];
  const bytesToMove = moves.reduce((sum, { bytes }) => sum + bytes, 0);
  const space = spaceNeeds(facts.free, [
    ...input.mergesUp.map(({ top, bytes }) => ({ folder: dirname(top.path), bytes })),
    ...input.mergesDown.map(({ base, bytes }) => ({ folder: dirname(base?.path ?? '/'), bytes })),
  ]);
  const alone =
    target.parent === null && !facts.snapshots.some(({ parent }) => parent === target.name);
  const external =
    moves.length > 0 || victims.some(({ disks }) => disks.some(({ mode }) => mode === 'external'));
  const inside = victims.some(({ disks }) => disks.some(({ mode }) => mode === 'internal'));
  const deadline = bulkDeadlineMs(bytesToMove);
  return {
    conditions: {
      operation: 'delete',
      live: input.runBefore !== 'off',
      extent,
      place: alone ? 'standalone' : 'chain',
      disks: external ? 'external' : inside ? 'internal' : 'none',
    },
    input,
    deadlines: { mergeUp: deadline, mergeDown: deadline },
    refusals: [
      ...commonRefusals(facts),
      ...elsewhere(input, facts),
      ...lockedTags(input, facts),
      ...heldSnapshots(facts, input.tags),
      ...sharedSnapshots(facts, input.tags),
      ...openVolumes(
        facts,
        input.mergesDown.flatMap(({ device, base }) => (base ? [{ device, head: base }] : [])),
      ),
      ...readThrough(input, facts),
      ...space.refusals,
    ],
    notes,
    bytesToMove,
    space: space.space,
  };
}

function victimsOf(
  target: Snapshot,
  extent: NonNullable<DeleteRequest['extent']>,
  all: readonly Snapshot[],
): Snapshot[] {
  const below = (parent: string): Snapshot[] =>
    all
      .filter(snapshot => snapshot.parent === parent)
      .flatMap(child => [child, ...below(child.name)]);
  if (extent === 'one') return [target];
  return extent === 'children' ? [target, ...below(target.name)] : below(target.name);
}

function mergesOf(
  { device, head }: DomainDisk,
  victims: readonly Snapshot[],
  staying: readonly Snapshot[],
  facts: Survey,
  back: boolean,
): MergeAnswer {
  const of = (snapshots: readonly Snapshot[]) =>
    snapshots
      .flatMap(({ disks }) => disks)
      .filter(disk => disk.device === device && disk.mode !== 'none');
  const inside = (snapshots: readonly Snapshot[]) =>
    of(snapshots)
      .filter(({ mode }) => mode === 'internal')
      .map(({ image }) => image.path);
  const pinned = new Set(inside(staying));
  const doomed = new Set(inside(victims));
  const needed = new Set([head.path, ...of(staying).map(({ image }) => image.path)]);
  const unneeded = of(victims)
    .map(({ image }) => image.path)
    .filter(path => !needed.has(path));
  refuseUnreadable(device, new Set(unneeded), facts);
  const live = facts.view.disks.find(disk => disk.device === device)?.chain ?? [];
  return planMerges({
    device,
    images: facts.images,
    removed: new Set(unneeded),
    pinned,
    doomed,
    liveChain: live.map(({ path }) => path),
    pulls: facts.view.pulls,
    sealed: new Set(facts.view.sealed),
    freeBytes: path => facts.free.get(dirname(path)) ?? 0,
    back,
  });
}

/** An image that cannot be read has nothing to give to those that stand on it. */
function refuseUnreadable(device: string, removed: ReadonlySet<string>, facts: Survey): void {
  const { domain, images, unreadable } = facts;
  for (const { volume, backing } of images.values()) {
    if (removed.has(volume.path) || !backing || !removed.has(backing.path)) continue;
    const lost = chainOf(facts, backing).find(({ path }) => unreadable.has(path));
    if (!lost) continue;
    throw refuse(
      'bad-base',
      `${device}: ${unreadable.get(lost.path)}; ${volume.path} stands on it`,
      `put it back; or 'domsnap revert ${domain.name} SNAPSHOT' to one that is whole, and delete then`,
    );
  }
}

/**
 * An internal snapshot reads through its image to the bases (qcow2 keeps none of their blocks in it): what
 * is merged up into that image takes them from under it.
 */
function readThrough({ mergesUp }: DeleteInput, { domain, snapshots }: Survey): Refusal[] {
  return mergesUp.flatMap(({ device, top }) => {
    const inside = snapshots.filter(({ disks }) =>
      disks.some(
        disk => disk.device === device && disk.mode === 'internal' && disk.image.path === top.path,
      ),
    );
    const [first] = inside;
    if (!first) return [];
    const names = inside.map(({ name }) => name).join(', ');
    return [
      {
        code: 'read-through',
        message: `${device}: internal snapshots in ${top.path} (${names}) read through to images that would go`,
        hint: `delete what needs them first: ${typed('delete', domain.name, first.name)}`,
      },
    ];
  });
}

/** The memory files that only victims name: a record from elsewhere may name another one's. */
function memoryOf(victims: readonly Snapshot[], staying: readonly Snapshot[]): string[] {
  const needed = new Set(staying.flatMap(({ memory }) => memoryFile(memory) ?? []));
  return victims
    .flatMap(({ memory }) => memoryFile(memory) ?? [])
    .filter(path => !needed.has(path));
}

/** Internal snapshots of the victims, of images that stay. */
function tagsOf(
  victims: readonly Snapshot[],
  trash: readonly string[],
  heads: readonly DomainDisk[],
  live: boolean,
  replaced: ReadonlyMap<string, unknown>,
): DeleteInput['tags'] {
  const gone = new Set([...trash, ...replaced.keys()]);
  return victims.flatMap(({ disks }) =>
    disks.flatMap(({ device, mode, image, tag }) => {
      if (mode !== 'internal' || tag === undefined || gone.has(image.path)) return [];
      const isHead = heads.some(disk => disk.device === device && disk.head.path === image.path);
      // A volume manager drops its snapshots whoever has the volume open.
      return [{ device, image, tag, live: live && isHead && !isManaged(image) }];
    }),
  );
}

/** The nearest ancestor, or the node itself, that is not a victim. */
function ancestorOf(
  name: string | null,
  victims: ReadonlySet<string>,
  all: readonly Snapshot[],
): string | null {
  let node = name;
  while (node !== null && victims.has(node)) {
    node = all.find(snapshot => snapshot.name === node)?.parent ?? null;
  }
  return node;
}

/** Snapshots that stay but change: their parent goes, or another image takes their image's place. */
function rewritten(
  staying: readonly Snapshot[],
  victims: ReadonlySet<string>,
  replaced: MergeAnswer['replaced'],
  all: readonly Snapshot[],
): Snapshot[] {
  return staying.flatMap(snapshot => {
    const parent = ancestorOf(snapshot.parent, victims, all);
    const moved = snapshot.disks.some(({ image }) => replaced.has(image.path));
    if (parent === snapshot.parent && !moved) return [];
    const disks = snapshot.disks.map(disk => ({
      ...disk,
      image: replaced.get(disk.image.path) ?? disk.image,
    }));
    return [{ ...snapshot, parent, disks }];
  });
}

/** Another domain that stands on an image would lose what it stands on. */
function elsewhere({ trash, mergesDown }: DeleteInput, { usedElsewhere }: Survey): Refusal[] {
  const changed = [...trash, ...mergesDown.flatMap(({ base }) => base?.path ?? [])];
  return changed.flatMap(path => {
    const other = usedElsewhere.get(path);
    if (other === undefined) return [];
    const message = `${path} is needed by ${other.who}`;
    const hint = `that has to go first, or to get a copy of its own`;
    return [{ code: 'used-elsewhere', message, hint }];
  });
}

/** QEMU deletes internal snapshots only from a head, and nobody else may write to a running chain. */
function lockedTags({ tags, domain }: DeleteInput, facts: Survey): Refusal[] {
  const running = new Set(facts.view.disks.flatMap(({ chain }) => chain.map(({ path }) => path)));
  return tags
    .filter(({ live, image }) => !live && !isManaged(image) && running.has(image.path))
    .map(({ device, image, tag }) => ({
      code: 'tag-in-base',
      message: `${device}: the running ${domain} reads ${image.path}, in which the internal snapshot ${tag} lies; QEMU deletes internal snapshots only from the image a disk writes to`,
      hint: `${typed('domain', 'stop', domain)} first, or delete the external snapshots above it`,
    }));
}

const runStateOf = (state: string): 'off' | 'running' | 'paused' =>
  state === 'off' ? 'off' : state === 'paused' ? 'paused' : 'running';
