import { dirname, join } from 'node:path';
import type { DiskMode, DomainDisk } from '../catalog/model.ts';
import type { CreateDisk, CreateInput } from '../steps/input.ts';
import { CAPTURES, type Capture } from '../toolstacks/port.ts';
import { bulkDeadlineMs, type Draft, type Note, spaceNeeds } from './draft.ts';
import { checkName, fileSafe, generatedName } from './names.ts';
import { sharedImages } from './other-use.ts';
import { misused, type Refusal } from './refusal.ts';
import type { CreateRequest } from './request.ts';
import { commonRefusals, type Survey } from './survey.ts';
import { typed } from './typed.ts';
import { childNote, nextHead, refuseChild, wantsChild } from './vhd.ts';
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
  if (disks.every(({ mode }) => mode === 'none')) {
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
  if (memory && disks.every(({ head }) => isVolatile(head.path))) {
    refusals.push({
      code: 'no-folder',
      message: `no disk of ${domain.name} lies in a folder on disk, where its memory would be saved`,
      hint: `take the disks alone: ${typed('create', domain.name, name, '--memory', 'none')}`,
    });
  }
  const frozen = planQuiesce(request, facts, live && !memory, notes, refusals);
  const external = disks.filter(({ overlay }) => overlay !== undefined);
  const firstFolder = dirname(
    (disks.find(({ head }) => !isVolatile(head.path)) ?? disks[0])?.head.path ?? '/',
  );
  const memoryPath = join(
    firstFolder,
    `${fileSafe(domain.name)}.${fileSafe(name)}.${operation}.memory`,
  );
  const memoryBytes = memory ? memorySize(memory, view.memoryBytes) : 0;
  const space = spaceNeeds(facts.free, [
    ...external.map(({ head }) => ({ folder: dirname(head.path), bytes: OVERLAY_BYTES })),
    ...(memory ? [{ folder: firstFolder, bytes: memoryBytes }] : []),
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
  // An overlay costs the guest the same short pause however large the disk is; an internal snapshot
  // copies and counts the tables of the whole image while the guest stands still.
  const child = wantsChild(asked, facts, head);
  const mode: DiskMode = asked === 'auto' || asked === 'vhd' ? 'external' : asked;
  if (mode === 'internal' && head.format !== 'qcow2') {
    refusals.push({
      code: 'internal-unsupported',
      message: `${device} is ${head.format}, which cannot hold internal snapshots; only qcow2 can`,
      hint: `use --disk ${device}=external`,
    });
  }
  if (mode === 'external' && isVolatile(head.path)) {
    refusals.push({
      code: 'no-folder',
      message: `${device} is ${head.path}: an overlay beside it would be gone when the host starts again`,
      hint: `use --disk ${device}=none, or let ${device} be an overlay of your own, in a folder on disk`,
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
    ...(mode === 'internal' ? { tag: `${name}.${facts.operation}` } : {}),
  };
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
