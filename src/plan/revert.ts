import { dirname, join } from 'node:path';
import type { DomainDisk, Snapshot, Volume } from '../catalog/model.ts';
import type { RevertDisk, RevertInput } from '../steps/input.ts';
import { bulkDeadlineMs, type Draft, type Note, spaceNeeds } from './draft.ts';
import { checkName, fileSafe, generatedName } from './names.ts';
import { type Refusal, refuse } from './refusal.ts';
import type { RevertRequest } from './request.ts';
import { commonRefusals, type Survey } from './survey.ts';
import { nextHead, refuseHeads, standsAsChild } from './vhd.ts';
import { openVolumes, roomFor, volumeTag } from './volumes.ts';
import { mergedBytes, volumesInTheWay } from './volumes-back.ts';
import { chainOf } from './walk-images.ts';

const OVERLAY_BYTES = 1 << 20;

/** Plan a revert. Pure; throws RefusedError where there is nothing to plan with. */
export function draftRevert(request: RevertRequest, facts: Survey): Draft {
  const { domain, view, at, operation } = facts;
  const target = wantedSnapshot(request, facts);
  const live = view.runState !== 'off';
  const runBefore = live ? (view.runState === 'paused' ? 'paused' : 'running') : 'off';
  const runAfter = request.runAfter ?? target.memory?.runState ?? runBefore;
  const memory = runAfter === 'off' ? null : target.memory;
  const notes: Note[] = [];
  const refusals = [...inTheWay(facts, live), ...wholeness(target, facts)];
  if (target.memory && !memory) {
    notes.push({ what: 'the memory is not loaded', why: 'the domain is to stay off' });
  }
  if (memory) refusals.push(...memoryRefusals(memory, facts));
  const disks = domain.disks.map(disk => planDisk(request, target, facts, disk, notes, runAfter));
  const changed = disks.filter(({ how }) => how !== 'keep');
  refusals.push(
    ...openVolumes(facts, changed),
    ...volumesInTheWay(disks, facts),
    ...refuseHeads(facts, disks, runAfter),
  );
  const taken = new Set(facts.snapshots.map(({ name }) => name));
  const abandoned = branchOf(disks, facts, generatedName('left', at, taken));
  const space = spaceNeeds(
    facts.free,
    disks.flatMap(disk => needOf(disk, facts)),
  );
  const input: RevertInput = {
    operation: 'revert',
    domain: domain.name,
    name: target.name,
    at,
    runBefore,
    runAfter,
    disks,
    memory,
    abandoned: { ...abandoned, operation },
    ...(request.safety ? { safety: request.safety } : {}),
    ...(request.undoes ? { undoes: request.undoes } : {}),
  };
  notes.push({
    what: `what the disks hold now stays in the tree as ${abandoned.name}`,
    why: 'a revert can be taken back as long as it is there',
  });
  const modes = new Set(target.disks.map(({ mode }) => mode));
  const moved = disks.flatMap(disk => (disk.how === 'extract' ? needOf(disk, facts) : []));
  const bytesToMove = moved.reduce((sum, { bytes }) => sum + bytes, memory?.bytes ?? 0);
  const bytesToMerge = disks.reduce((sum, disk) => sum + mergedBytes(disk, facts), 0);
  return {
    conditions: {
      operation: 'revert',
      live,
      memory: memory !== null,
      disks: disks.every(({ how }) => how === 'keep')
        ? 'none'
        : modes.has('external')
          ? 'external'
          : 'internal',
    },
    input,
    deadlines: {
      validateSnapshot: bulkDeadlineMs(memory?.bytes ?? 0),
      prepareHeads: bulkDeadlineMs(bytesToMove),
      applyTags: bulkDeadlineMs(bytesToMerge),
      // It may have to end what applyTags began, before it takes it back.
      reapplyAbandoned: bulkDeadlineMs(2 * bytesToMerge),
    },
    refusals: [...refusals, ...space.refusals],
    notes,
    bytesToMove,
    space: space.space,
  };
}

function wantedSnapshot({ name }: RevertRequest, { domain, snapshots }: Survey): Snapshot {
  checkName('snapshot', name);
  const found = snapshots.find(snapshot => snapshot.name === name);
  if (!found) {
    throw refuse(
      'unknown-snapshot',
      `${domain.name} has no snapshot ${name}`,
      `'domsnap list ${domain.name}' shows those it has`,
    );
  }
  if (found.state !== 'usable') {
    const what = found.state === 'creating' ? 'was never finished' : 'is being deleted';
    throw refuse('unusable', `${name} ${what}`, `'domsnap recover' brings it to its end`);
  }
  return found;
}

/** What a domain that is off stands on now may be broken: the revert is the way out of that. */
function inTheWay(facts: Survey, live: boolean): Refusal[] {
  const broken = new Set(['bad-disk', 'bad-base']);
  return commonRefusals(facts).filter(({ code }) => live || !broken.has(code));
}

/** Everything that the snapshot stands on must be there. */
function wholeness({ name, disks }: Snapshot, facts: Survey): Refusal[] {
  return disks
    .filter(({ mode }) => mode !== 'none')
    .flatMap(({ device, image, tag }) => {
      const broken = chainOf(facts, image).find(({ path }) => facts.unreadable.has(path));
      const missingTag =
        tag !== undefined && facts.images.get(image.path)?.tags.includes(tag) === false;
      const lost = facts.images
        .get(image.path)
        ?.manager?.snapshots.find(one => one.tag === tag)?.broken;
      const why = broken
        ? facts.unreadable.get(broken.path)
        : lost
          ? `${tag} holds nothing any more: ${lost}`
          : missingTag
            ? `${image.path} has no internal snapshot ${tag}`
            : undefined;
      const message = `${name} cannot be reverted to: ${device}: ${why}`;
      return why ? [{ code: 'damaged', message, hint: 'put the image back' }] : [];
    });
}

function memoryRefusals(
  memory: NonNullable<Snapshot['memory']>,
  { memoryFiles, view, domain }: Survey,
): Refusal[] {
  const refusals: Refusal[] = [];
  const found = memoryFiles.get(memory.path);
  const disksOnly = `revert the disks alone with --off, and start ${domain.name} afresh`;
  // qemu-img gives the length of a raw file in whole sectors, its file system exactly; the digest is
  // compared later.
  const inFile = memory.inside === undefined;
  if (inFile && (found === undefined || sectors(found) !== sectors(memory.bytes))) {
    const what =
      found === undefined ? 'is not there' : `is ${found} bytes long, not ${memory.bytes}`;
    const message = `the memory file ${memory.path} ${what}`;
    refusals.push({ code: 'damaged', message, hint: disksOnly });
  }
  if (view.nextDeviceDigest !== memory.deviceDigest) {
    refusals.push({
      code: 'other-devices',
      message: `${domain.name} has other devices than when its memory was saved: it would not fit`,
      hint: `give the domain the devices back that it had, or ${disksOnly}`,
    });
  }
  return refusals;
}

const sectors = (bytes: number): number => Math.ceil(bytes / 512);

function planDisk(
  { room }: RevertRequest,
  target: Snapshot,
  facts: Survey,
  disk: DomainDisk,
  notes: Note[],
  runAfter: string,
): RevertDisk {
  const { device, head } = disk;
  const held = target.disks.find(other => other.device === device && other.mode !== 'none');
  if (!held) {
    notes.push({ what: `${device} stays as it is`, why: `${target.name} does not hold it` });
    return { device, how: 'keep', image: head, head };
  }
  const { image, tag } = held;
  const stem = `${fileSafe(facts.domain.name)}.${device}.${fileSafe(target.name)}.${facts.operation}`;
  const child = standsAsChild(facts, image, runAfter);
  const newHead = nextHead(join(folderFor(image, head, facts), stem), child);
  if (tag === undefined) return { device, how: 'overlay', image, head, newHead };
  const hasChildren = [...facts.images.values()].some(
    ({ backing }) => backing?.path === image.path,
  );
  if (image.path === head.path && !hasChildren) {
    return { device, how: 'apply', image, tag, head, ...keptIn(disk, facts, room) };
  }
  notes.push({
    what: `${device} is copied out of ${image.path}`,
    why: 'other images stand on that one: putting the internal snapshot in place would change them',
  });
  return { device, how: 'extract', image, tag, head, newHead };
}

/** The tag that keeps what a disk holds now; of a volume a snapshot of its own. */
function keptIn(
  { head }: DomainDisk,
  facts: Survey,
  room: RevertRequest['room'],
): Pick<RevertDisk, 'abandonTag' | 'roomBytes'> {
  const view = facts.images.get(head.path);
  if (!view?.manager) return { abandonTag: `left.${facts.operation}` };
  const roomBytes = roomFor(view, room);
  const abandonTag = volumeTag(head, 'left', facts.operation);
  return { abandonTag, ...(roomBytes === undefined ? {} : { roomBytes }) };
}

/** Where a new head goes: beside its image, and of a volume's beside the overlay that the disk has now. */
function folderFor(image: Volume, head: Volume, { images, memoryFolder }: Survey): string {
  if (!image.path.startsWith('/dev/')) return dirname(image.path);
  const above = [...images.values()].find(({ backing }) => backing?.path === image.path)?.volume;
  const beside = [head, above].find(one => one && !one.path.startsWith('/dev/'));
  return beside ? dirname(beside.path) : memoryFolder;
}

/** The node of the tree that keeps what the disks hold now. */
function branchOf(
  disks: readonly RevertDisk[],
  { domain, at, view }: Survey,
  name: string,
): Omit<Snapshot, 'operation'> {
  return {
    domain: domain.name,
    name,
    parent: domain.current,
    createdAt: at,
    kind: 'abandoned',
    state: 'usable',
    description: '',
    consistency: view.runState === 'off' ? 'offline' : 'crash-consistent',
    why: 'what the disks held when the domain was reverted',
    disks: disks.map(({ device, how, head, abandonTag }) => ({
      device,
      mode: how === 'keep' ? 'none' : how === 'apply' ? 'internal' : 'external',
      image: head,
      ...(abandonTag === undefined ? {} : { tag: abandonTag }),
    })),
    memory: null,
  };
}

function needOf(
  { how, image, newHead }: RevertDisk,
  { images }: Survey,
): { folder: string; bytes: number }[] {
  if (!newHead) return [];
  const bytes =
    how === 'extract'
      ? (images.get(image.path)?.allocatedBytes ?? 0) + OVERLAY_BYTES
      : OVERLAY_BYTES;
  return [{ folder: dirname(newHead.path), bytes }];
}
