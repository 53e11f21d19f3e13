import { dirname, join } from 'node:path';
import type { DiskMode, DomainDisk } from '../catalog/model.ts';
import type { CreateDisk, CreateInput } from '../steps/input.ts';
import { CAPTURES, type Capture } from '../toolstacks/port.ts';
import { bulkDeadlineMs, type Draft, mebibytes, type Note, spaceNeeds } from './draft.ts';
import { checkName, fileSafe, generatedName } from './names.ts';
import { sharedImages } from './other-use.ts';
import { misused, type Refusal } from './refusal.ts';
import type { CreateRequest } from './request.ts';
import { commonRefusals, type Survey } from './survey.ts';
import { typed } from './typed.ts';
import { childNote, nextHead, refuseChild, wantsChild } from './vhd.ts';
import { neverFull, openVolumes, roomFor, volumeRefusals, volumeTag } from './volumes.ts';
import { chainOf } from './walk-images.ts';

/** A new qcow2 overlay takes 200 KiB; the rest is for what the guest writes while the others follow. */
const OVERLAY_BYTES = 1 << 20;
/** More layers kept some libvirt versions from starting a domain; every layer costs each read. */
const LAYERS_MANY = 20;

/** Plan a create. Pure; throws RefusedError only for malformed requests. */
export function draftCreate(request: CreateRequest, facts: Survey): Draft {
  const { domain, view, snapshots, at, operation } = facts;
  const taken = new Set(snapshots.map(({ name }) => name));
  const name = checkName('snapshot', request.name ?? generatedName('snap', at, taken));
  const live = view.runState !== 'off';
  const notes: Note[] = [];
  const refusals = [...commonRefusals(facts), ...sharedImages(facts)];
  if (taken.has(name)) {
    refusals.push({
      code: 'exists',
      message: `${domain.name} already has a snapshot ${name}`,
      hint: `choose another name, or ${typed('delete', domain.name, name)} first`,
    });
  }
  refuseUnknownDisks(request, domain.disks);
  const disks = domain.disks.map(disk => planDisk(request, facts, disk, name, notes, refusals));
  refusals.push(
    ...volumeRefusals(
      facts,
      disks
        .filter(({ tag }) => tag !== undefined)
        .map(disk => ({ disk, roomBytes: disk.roomBytes })),
    ),
  );
  const held = disks.filter(({ mode }) => mode !== 'none');
  refusals.push(...openVolumes(facts, held));
  if (held.length === 0) {
    const message = 'a snapshot without a disk holds nothing that could be gone back to';
    throw misused('no-disks', message, 'leave at least one disk in it: --disk DISK=external');
  }
  for (const device of view.strangeDisks) {
    notes.push({
      what: `${device} is not part of it`,
      why: `the domain file does not name it: it was attached while ${domain.name} ran`,
    });
  }
  const memory = planMemory(request, facts, live, notes, refusals);
  const frozen = planQuiesce(request, facts, live && !memory, notes, refusals);
  const external = disks.filter(({ overlay }) => overlay !== undefined);
  // Beside the disks; a domain of volumes alone has its memory in domsnap's own folder.
  const inFolder = disks.find(({ head }) => !isVolatile(head.path));
  const memoryFolder = inFolder ? dirname(inFolder.head.path) : facts.memoryFolder;
  const memoryPath = join(
    memoryFolder,
    `${fileSafe(domain.name)}.${fileSafe(name)}.${operation}.memory`,
  );
  const memoryBytes = memory ? memorySize(memory, view.memoryBytes) : 0;
  const space = spaceNeeds(facts.free, [
    ...external.map(({ head }) => ({ folder: dirname(head.path), bytes: OVERLAY_BYTES })),
    ...(memory ? [{ folder: memoryFolder, bytes: memoryBytes }] : []),
  ]);
  const runBefore = live ? (view.runState === 'paused' ? 'paused' : 'running') : 'off';
  const input: CreateInput = {
    operation: 'create',
    domain: domain.name,
    name,
    at,
    runBefore,
    runAfter: runBefore,
    parent: domain.current,
    description: request.description ?? '',
    ...frozen,
    disks,
    memory: memory ? { path: memoryPath, capture: memory, deviceDigest: view.deviceDigest } : null,
  };
  const modes = new Set(disks.map(({ mode }) => mode));
  return {
    conditions: {
      operation: 'create',
      live,
      // What was asked for in vain stays in the conditions: the case table names the reason.
      memory: memory ?? (!live && (request.memory ?? 'none') !== 'none' ? 'paused' : 'none'),
      disks: modes.has('external') ? 'external' : modes.has('internal') ? 'internal' : 'none',
    },
    input,
    deadlines: memory
      ? Object.fromEntries(
          ['finishCapture', 'captureMemory'].map(step => [step, bulkDeadlineMs(memoryBytes)]),
        )
      : {},
    refusals: [...refusals, ...space.refusals],
    notes,
    bytesToMove: memoryBytes,
    space: space.space,
  };
}

function refuseUnknownDisks({ disk = {} }: CreateRequest, known: readonly DomainDisk[]): void {
  for (const device of Object.keys(disk)) {
    if (!known.some(other => other.device === device)) {
      const names = known.map(other => other.device).join(', ');
      throw misused('unknown-disk', `the domain has no disk ${device}`, `it has ${names}`);
    }
  }
}

/** Device nodes lie in memory, and so would whatever is put beside them. */
const isVolatile = (path: string): boolean => path.startsWith('/dev/');

function planDisk(
  request: CreateRequest,
  facts: Survey,
  { device, head }: DomainDisk,
  name: string,
  notes: Note[],
  refusals: Refusal[],
): CreateDisk {
  const asked = request.disk?.[device] ?? request.disks ?? 'auto';
  const view = facts.images.get(head.path);
  // An overlay costs the guest the same short pause however large the disk is; an internal snapshot
  // copies and counts the tables of the whole image while the guest stands still. A volume's are made by
  // its volume manager, beside it.
  const child = wantsChild(asked, facts, head);
  const best = view?.manager ? 'internal' : 'external';
  const mode: DiskMode = asked === 'auto' ? best : asked === 'vhd' ? 'external' : asked;
  if (mode === 'internal' && view && head.format !== 'qcow2' && !view.manager) {
    refusals.push({
      code: 'internal-unsupported',
      message: `${device} is ${head.format}, which cannot hold internal snapshots; only qcow2 and logical volumes can`,
      hint: `use --disk ${device}=external`,
    });
  }
  if (mode === 'external' && isVolatile(head.path)) {
    refusals.push({
      code: 'no-folder',
      message: `${device} is ${head.path}: an overlay beside it would be gone when the host starts again`,
      hint: view?.manager
        ? `use --disk ${device}=internal: the snapshot is a volume of its own, in ${view.manager.group}`
        : `use --disk ${device}=none, or let ${device} be an overlay of your own, in a folder on disk`,
    });
  }
  if (mode === 'external') refusals.push(...refuseChild(facts, { device, head }, child));
  if (child) notes.push(childNote(facts, device));
  const layers = chainOf(facts, head).length;
  if (mode === 'external' && layers >= LAYERS_MANY) {
    notes.push({
      what: `${device} already stands on ${layers} layers`,
      why: 'every layer slows reading down: delete snapshots that nobody needs',
    });
  }
  const stem = `${fileSafe(facts.domain.name)}.${device}.${fileSafe(name)}.${facts.operation}`;
  const overlay = nextHead(join(dirname(head.path), stem), child);
  return {
    device,
    mode,
    head,
    ...(mode === 'external' ? { overlay } : {}),
    ...(mode === 'internal' ? taggedBy(request, facts, { device, head }, name, notes) : {}),
  };
}

/** The tag of an internal disk; of a volume the name of the volume that it will be, and its room. */
function taggedBy(
  { room }: CreateRequest,
  facts: Survey,
  { device, head }: DomainDisk,
  name: string,
  notes: Note[],
): Pick<CreateDisk, 'tag' | 'roomBytes'> {
  const view = facts.images.get(head.path);
  if (!view?.manager) return { tag: `${name}.${facts.operation}` };
  const { kind, group, pool } = view.manager;
  const tag = volumeTag(head, name, facts.operation);
  const roomBytes = roomFor(view, room);
  const what = `${device} is taken by ${kind === 'lvm' ? 'LVM' : 'LVM’s thin pool'}, as ${group}/${tag}`;
  if (roomBytes === undefined) {
    const full = `${pool?.dataPercent ?? 0} % of its data and ${pool?.metadataPercent ?? 0} % of its metadata`;
    notes.push({ what, why: `it shares its blocks in ${pool?.name}, which uses ${full}` });
    return { tag };
  }
  const why = neverFull(view, roomBytes)
    ? 'enough for the whole volume: it can never run full'
    : 'LVM drops it when more than that has changed; domsnap list shows how full it is';
  notes.push({ what, why: `with ${mebibytes(roomBytes)} of room for what changes: ${why}` });
  return { tag, roomBytes };
}

function planMemory(
  { memory = 'live', ...request }: CreateRequest,
  { view, domain }: Survey,
  live: boolean,
  notes: Note[],
  refusals: Refusal[],
): Capture | null {
  if (memory === 'none' || !live) return null;
  const why = (capture: Capture) => view.captures[capture].why;
  // A guest that stands still already loses nothing by it, and must not be let run by the capture.
  const still = view.runState === 'paused';
  const wanted = memory === 'paused' || still ? (['paused'] as const) : CAPTURES;
  const capture = wanted.find(candidate => view.captures[candidate].works);
  if (!capture) {
    refusals.push({
      code: 'memory-unsupported',
      message: `the memory of ${domain.name} cannot be saved: ${why('paused')}`,
      hint: `take the disks alone: ${typed('create', domain.name, ...(request.name === undefined ? [] : [request.name]), '--memory', 'none')}`,
    });
    return 'paused';
  }
  const passedOver = wanted.slice(0, wanted.indexOf(capture as never));
  notes.push({
    what: `memory is saved by ${capture}`,
    why: still
      ? 'the domain is paused: it stays so'
      : passedOver.map(other => `${other}: ${why(other)}`).join('; ') ||
        (memory === 'paused' ? 'as asked for' : HOW[capture]),
  });
  return capture;
}

function planQuiesce(
  { quiesce }: CreateRequest,
  { view, domain }: Survey,
  applies: boolean,
  notes: Note[],
  refusals: Refusal[],
): Pick<CreateInput, 'quiesce' | 'unfrozenWhy'> {
  if (!applies) {
    if (quiesce === 'require') {
      notes.push({
        what: 'the guest is not frozen',
        why: 'its memory is part of the snapshot, or it is off: nothing is lost between them',
      });
    }
    return { quiesce: 'no', unfrozenWhy: '' };
  }
  const wanted = quiesce ?? 'try';
  if (wanted === 'no' || view.agent.answers) return { quiesce: wanted, unfrozenWhy: '' };
  if (wanted === 'require') {
    refusals.push({
      code: 'no-agent',
      message: `the guest’s file systems cannot be frozen: ${view.agent.why}`,
      hint: `start qemu-guest-agent in ${domain.name}, or use --quiesce try`,
    });
  } else {
    notes.push({ what: 'the guest will not be frozen', why: view.agent.why });
  }
  // Asking it again would cost the time in which nobody answers; and a thaw would have nobody to obey it.
  return { quiesce: wanted === 'try' ? 'no' : wanted, unfrozenWhy: view.agent.why };
}

/** What a capture means for the guest. */
const HOW: Readonly<Record<Capture, string>> = {
  background: 'the guest stands still for milliseconds, however much memory it has',
  precopy: 'the guest runs until its memory has converged',
  paused: 'the guest stands still until its memory is saved',
};

/** A guest that goes on writing makes the stream of a pre-copy longer than its memory. */
const memorySize = (capture: Capture, bytes: number): number =>
  capture === 'precopy' ? 2 * bytes : bytes;
