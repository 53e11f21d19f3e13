import type { Volume } from '../../src/catalog/model.ts';
import type { Ending } from '../../src/engine/run.ts';
import type { CaseInput } from '../../src/steps/input.ts';
import { COUNT_BLOCK } from './guest.ts';
import type { SimHost } from './sim-host.ts';

/** What the invariants need to know of an operation. */
export interface Expectation {
  readonly ending: Ending;
  readonly input: {
    readonly operation: CaseInput['operation'];
    readonly name: string;
    readonly runBefore: string;
    readonly runAfter: string;
  };
  /** What the disks held before the operation, as the guest knows it. */
  readonly before: ReadonlyMap<string, readonly number[]>;
  /** Starts of the domain before the operation. */
  readonly startsBefore: number;
}

/** Check I1 to I6 and I8 after an operation has come to an outcome; each fault is a sentence. */
export function violations(host: SimHost, expected: Expectation): string[] {
  const { oracle, domain } = host;
  return [
    ...guestFaults(host, expected),
    ...oracle.changed(domain),
    ...headFaults(host, expected),
    ...fileFaults(host, expected),
    ...jobFaults(host, expected),
    ...oracle.torn(domain),
    ...loadFaults(host, expected),
    ...consistencyFaults(host, expected),
    ...mergeFaults(host, expected),
  ];
}

/** I5: no merge of a volume's snapshot is left half done, but where a person has to look. */
function mergeFaults({ world }: SimHost, { ending }: Expectation): string[] {
  if (ending.outcome === 'needsAttention') return [];
  return [...world.store.files]
    .filter(([, file]) => file.kind === 'image' && file.merging)
    .map(([path]) => `I5: a snapshot is still being merged into ${path}`);
}

/** I1 and I2: the guest runs as before or as promised; nothing is left frozen. */
function guestFaults({ world }: SimHost, { ending, input }: Expectation): string[] {
  const state = world.process?.runState ?? 'off';
  const failed = new Set(ending.decision.context.failures.map(({ step }) => step));
  const frozen = (world.process?.frozen ?? 0) > 0;
  const faults: string[] = [];
  if (frozen && !(ending.outcome === 'needsAttention' && failed.has('thawGuest'))) {
    faults.push(`I2: the guest is frozen at the end (${ending.outcome})`);
  }
  if (state === 'off' && world.domainDied) return faults;
  if (ending.outcome === 'needsAttention') {
    const excused = ['unpauseDomain', 'abandonConvergence', 'loadMemory', 'startDomain'];
    if (state === 'paused' && input.runBefore === 'running' && input.runAfter === 'running') {
      if (!excused.some(step => failed.has(step))) {
        faults.push(`I1: the guest is paused in needsAttention, which ${[...failed]} caused`);
      }
    }
    return faults;
  }
  const wanted = ending.outcome === 'committed' ? input.runAfter : input.runBefore;
  if (state !== wanted) faults.push(`I1: the domain is ${state}, not ${wanted}`);
  return faults;
}

/** I4: the records name the true heads, and those hold all that the guest has written. */
function headFaults(host: SimHost, expected: Expectation): string[] {
  const { world, catalog, domain } = host;
  // A person has to look at it: until then only a running guest is a promise.
  if (expected.ending.outcome === 'needsAttention') return [];
  const truth = truthAfter(host, expected);
  return (catalog.domain(domain)?.disks ?? []).flatMap(({ device, head }) => {
    const live = world.process?.heads.get(device);
    const faults: string[] = [];
    if (live && live.path !== head.path) {
      faults.push(`I4: ${device} writes to ${live.path}, the records say ${head.path}`);
    }
    const next = world.configured.get(device);
    if (next && next.path !== head.path) {
      faults.push(`I4: ${device} will start on ${next.path}, the records say ${head.path}`);
    }
    try {
      const now = JSON.stringify(world.store.content(head));
      const wanted = JSON.stringify(truth.get(device));
      if (now !== wanted) faults.push(`I4: ${device} should hold ${wanted}, and holds ${now}`);
    } catch (error) {
      faults.push(`I4: ${device} cannot be read: ${String(error)}`);
    }
    return faults;
  });
}

/** What the disks should hold at the end, by what the guest did and what the operation promised. */
function truthAfter(
  { world, catalog, oracle, domain }: SimHost,
  { ending, input, before, startsBefore }: Expectation,
): ReadonlyMap<string, readonly number[]> {
  const started = world.starts.length > startsBefore;
  if (ending.outcome === 'rolledBack') return input.runBefore === 'off' ? before : world.truth;
  if (input.operation !== 'revert') return world.truth;
  const target = catalog.snapshot(domain, input.name);
  const held = target && oracle.held(target)?.contents;
  if (!held) return new Map();
  const reverted = new Map([...before, ...Object.entries(held)]);
  if (!started) return reverted;
  const first = world.starts[startsBefore]?.contents ?? {};
  // Booted on anything else than the snapshot: then the guest's later writes prove nothing.
  const right = [...reverted].every(
    ([device, content]) => JSON.stringify(first[device]) === JSON.stringify(content),
  );
  return right ? world.truth : reverted;
}

/** I5: no file without a record, no record without its file. */
function fileFaults(host: SimHost, { ending, input }: Expectation): string[] {
  const { world, catalog, domain } = host;
  const owned = new Set<string>();
  const faults: string[] = [];
  const own = (volume: Volume, whose: string) => {
    try {
      for (const { path } of world.store.chain(volume)) owned.add(path);
    } catch (error) {
      faults.push(`I5: ${whose}: ${String(error)}`);
    }
  };
  // What nobody knows to have happened is in no record yet: a head may be in the trash until it is recovered.
  const doubted =
    ending.outcome === 'needsAttention' &&
    ending.decision.context.failures.some(({ code }) => code === 'unknown');
  const trashed = ({ path }: Volume) =>
    world.store.files.has(
      path.replace(/[^/]*$/, name => `.domsnap-trash/${ending.operation}/${name}`),
    );
  for (const { device, head } of catalog.domain(domain)?.disks ?? []) {
    if (!(doubted && trashed(head))) own(head, device);
  }
  for (const { name, disks, memory, state } of catalog.snapshots(domain)) {
    // What is being deleted may be gone already, as long as its operation is open.
    if (state === 'dissolving' && ending.outcome === 'needsAttention') continue;
    for (const { image, mode } of disks) if (mode !== 'none') own(image, name);
    if (!memory) continue;
    owned.add(memory.path);
    if (!world.store.files.has(memory.path)) faults.push(`I5: the memory of ${name} is gone`);
  }
  const open = ending.outcome === 'needsAttention' ? JSON.stringify(input) : '';
  for (const path of world.store.files.keys()) {
    // The draft of an image belongs to whom the image will belong to.
    const isOpen = open.includes(path.replace(/\.draft$/, ''));
    if (path.includes('/.domsnap-trash/') || owned.has(path) || isOpen) continue;
    faults.push(`I5: nobody owns ${path} (${ending.outcome})`);
  }
  if (ending.outcome !== 'needsAttention') {
    for (const { name, state } of catalog.snapshots(domain)) {
      if (state !== 'usable') faults.push(`I5: ${name} is still ${state} (${ending.outcome})`);
    }
    for (const [path, file] of world.store.files) {
      if (file.kind === 'image') faults.push(...strayTags(path, [...file.tags.keys()], host));
    }
  }
  return faults;
}

function strayTags(path: string, tags: string[], { catalog, domain }: SimHost): string[] {
  if (path.includes('/.domsnap-trash/')) return [];
  const named = new Set(
    catalog.snapshots(domain).flatMap(({ disks }) => disks.map(({ tag }) => tag)),
  );
  return tags
    .filter(tag => !named.has(tag))
    .map(tag => `I5: nobody owns the tag ${tag} in ${path}`);
}

/** I6: no block job, no capture, no half-used overlay and no tool without an open operation. */
function jobFaults({ world, journal, domain }: SimHost, { ending }: Expectation): string[] {
  const open = journal.operations({ subject: domain, status: ['open'] });
  const faults = open.map(({ id }) => `I6: ${id} is open without a way on`);
  const { process } = world;
  if (ending.outcome === 'needsAttention' || !process) return faults;
  for (const { id, status } of process.jobs.values()) faults.push(`I6: job ${id} is ${status}`);
  if (process.capture?.status === 'active') faults.push('I6: memory is still being saved');
  for (const path of process.attached.keys()) faults.push(`I6: ${path} is open and unused`);
  return faults;
}

/** I8 once more: memory is never loaded onto disks of another instant. */
function loadFaults({ world }: SimHost, { startsBefore }: Expectation): string[] {
  return world.starts.slice(startsBefore).flatMap(({ contents, memory }) => {
    if (!memory) return [];
    const counts = Object.values(contents).map(content => content[COUNT_BLOCK] ?? 0);
    const { counter, written } = memory;
    const fits = counts.every((count, n) => count === (n < written ? counter : counter - 1));
    return fits ? [] : [`I8: memory (${counter}, ${written}) was loaded onto disks at ${counts}`];
  });
}

/** A snapshot says of its consistency only what was reached. */
function consistencyFaults(
  { world, catalog, domain }: SimHost,
  { ending, input }: Expectation,
): string[] {
  if (input.operation !== 'create' || ending.outcome !== 'committed') return [];
  const made = catalog.snapshot(domain, input.name);
  if (made?.consistency !== 'guest-frozen' || world.takenFrozen) return [];
  return [`${input.name} says guest-frozen, but the guest was not`];
}
