import type { SeenSnapshot, Sight } from './sight.ts';

/** What can be wrong at the end of a round. */
export const KINDS = [
  'libvirt does not answer',
  'guest paused',
  'guest frozen',
  'guest hangs',
  'guest lost',
  'QEMU left behind',
  'guest runs unknown to libvirt',
  'guest torn',
  'wrong head',
  'stuck job',
  'orphan file',
  'orphan tag',
  'snapshot without its parts',
  'snapshot written to',
  'half merged',
  'lost content',
  'disks of two instants',
] as const;
export type Kind = (typeof KINDS)[number];

/** Something wrong, and where. */
export interface Fault {
  readonly kind: Kind;
  readonly what: string;
}

/** What was promised. */
export interface Promised {
  readonly goal: 'create' | 'delete' | 'revert';
  /** The snapshot that the command is about. */
  readonly name: string;
  /** The guest ran before, and must run after. */
  readonly live: boolean;
  /** QEMU itself was killed: the guest may be off. */
  readonly qemuKilled: boolean;
  /** What was seen before the command. */
  readonly before: Sight;
}

/** I1 to I8 of the project's list of faults, as far as they show from outside. No faults: all is well. */
export function judge(sight: Sight, promise: Promised): Fault[] {
  return [
    ...guestFaults(sight, promise),
    ...headFaults(sight),
    ...sight.jobs.map(job => fault('stuck job', job)),
    ...fileFaults(sight),
    ...sight.snapshots.flatMap(one => snapshotFaults(one, sight, promise)),
  ];
}

const fault = (kind: Kind, what: string): Fault => ({ kind, what });

/** I1, I2, and I8 of the domain itself. */
function guestFaults(sight: Sight, { live, qemuKilled }: Promised): Fault[] {
  const { domstate, qemu, guest, moves, frozen, counters } = sight;
  if (domstate === null) return [fault('libvirt does not answer', 'virsh domstate failed')];
  if (qemu === null) {
    const faults: Fault[] = [];
    if (live && !qemuKilled) faults.push(fault('guest lost', `the domain is ${domstate}`));
    const unreadable = counters.filter(one => typeof one === 'string');
    const [vda, vdb] = counters.map(one => (typeof one === 'string' ? Number.NaN : one.n));
    if (unreadable.length > 0) faults.push(fault('disks of two instants', unreadable.join('; ')));
    else if (apart(vda, vdb)) {
      faults.push(fault('disks of two instants', `vda is at ${vda}, vdb at ${vdb}`));
    }
    return faults;
  }
  if (!live) return [fault('QEMU left behind', `it is ${qemu}, libvirt says ${domstate}`)];
  if (/shut off|crashed/.test(domstate))
    return [fault('guest runs unknown to libvirt', `QEMU is ${qemu}, libvirt says ${domstate}`)];
  if (qemu !== 'running' || domstate.startsWith('paused'))
    return [fault('guest paused', `QEMU is ${qemu}, libvirt says ${domstate}`)];
  if (frozen) return [fault('guest frozen', 'its agent says so')];
  if (!moves || guest === null) return [fault('guest hangs', 'its counter stands still')];
  if (guest.vda !== guest.mem || guest.vdb !== guest.mem)
    return [fault('guest torn', JSON.stringify(guest))];
  return [];
}

/** What a tick writes to one after the other is at most one tick apart. */
const apart = (vda: number | undefined, vdb: number | undefined): boolean =>
  vda !== undefined && vdb !== undefined && vda - vdb !== 0 && vda - vdb !== 1;

/** I4. */
function headFaults({ heads: { live, config, qemu }, domstate, files }: Sight): Fault[] {
  if (domstate === null) return [];
  const faults: Fault[] = [];
  for (const { device, path } of config) {
    const others = { 'the live description': live, QEMU: qemu ?? [] };
    for (const [who, all] of Object.entries(others)) {
      const other = all.find(one => one.device === device)?.path;
      if (other !== undefined && other !== path)
        faults.push(fault('wrong head', `${device}: configured ${path}, by ${who} ${other}`));
    }
    if (!files.includes(path)) faults.push(fault('wrong head', `${device}: ${path} is not there`));
  }
  return faults;
}

/** I5: what nobody names. */
function fileFaults({ files, chains, snapshots, tags, domstate }: Sight): Fault[] {
  if (domstate === null) return [];
  const named = new Set(chains);
  for (const { memoryFile, disks } of snapshots) {
    if (memoryFile !== null) named.add(memoryFile);
    for (const { base, overlay } of disks) named.add(base).add(overlay ?? base);
  }
  const internal = new Set(
    snapshots.flatMap(({ name, disks }) => disks.map(({ base }) => `${base} ${name}`)),
  );
  return [
    ...files.filter(path => !named.has(path)).map(path => fault('orphan file', path)),
    ...tags
      .filter(({ image, tag }) => !internal.has(`${image} ${tag}`))
      .map(({ image, tag }) => fault('orphan tag', `${tag} in ${image}`)),
  ];
}

/** I3, I5, and I8 of one snapshot. */
function snapshotFaults(
  one: SeenSnapshot,
  sight: Sight,
  { goal, name, before }: Promised,
): Fault[] {
  const faults = one.missing.map(what =>
    fault('snapshot without its parts', `${one.name}: ${what}`),
  );
  const merging = goal === 'delete' && one.name === name;
  const known = before.snapshots.find(other => other.name === one.name);
  for (const [part, digest] of Object.entries(known?.digests ?? {})) {
    const now = one.digests[part];
    if (now === undefined || now === digest) continue;
    faults.push(fault(merging ? 'half merged' : 'lost content', `${part} of ${one.name}`));
  }
  const { vda, vdb } = one.counters;
  if (!known && apart(vda?.n, vdb?.n))
    faults.push(fault('disks of two instants', `${one.name}: vda ${vda?.n}, vdb ${vdb?.n}`));
  const heads = sight.heads.qemu ?? sight.heads.config;
  for (const { how, base, device } of one.disks) {
    if (how !== 'external' || !heads.some(head => head.path === base)) continue;
    const kind = merging ? 'half merged' : 'snapshot written to';
    faults.push(fault(kind, `${device} of ${one.name} is the domain's head`));
  }
  return faults;
}

/**
 * Where the tree stands: as the command promised, or as before. Tells nothing of faults. A guest that
 * was put back counts on, so that a command's own word (`ok`) is taken for it too.
 */
export function standing(
  sight: Sight,
  { goal, name, before }: Promised,
  ok: boolean,
): 'done' | 'as before' {
  const listed = sight.snapshots.find(one => one.name === name);
  if (goal === 'create') return listed ? 'done' : 'as before';
  if (goal === 'delete') return listed ? 'as before' : 'done';
  const was = newest(before);
  const now = newest(sight);
  return ok || (now !== null && was !== null && now < was) ? 'done' : 'as before';
}

/** Where the guest's counter stands. */
function newest({ guest, counters }: Sight): number | null {
  if (guest) return guest.mem;
  const [first] = counters;
  return first === undefined || typeof first === 'string' ? null : first.n;
}
