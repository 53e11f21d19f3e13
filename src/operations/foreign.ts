import { statSync } from 'node:fs';
import type {
  CatalogChange,
  Domain,
  DomainDisk,
  Snapshot,
  SnapshotDisk,
  Volume,
} from '../catalog/model.ts';
import type { Json } from '../engine/json.ts';
import { StepError } from '../engine/step.ts';
import type { LiveDisk, RecordedSnapshot, Toolstack } from '../toolstacks/port.ts';
import { openOn } from './begun.ts';
import { freeContext, type Session } from './session.ts';

/** What is written in the place of an operation for a snapshot that domsnap has not made. */
export const FOREIGN = 'foreign';

/**
 * What others have done to a domain through its toolstack since the catalog was written: snapshots made
 * and deleted, disks that were moved by them. Only asks. Where no explanation fits, nothing is said:
 * what the plan finds then is told as it is.
 */
export async function foreignChanges(
  { catalog, images }: Pick<Session, 'catalog' | 'images'>,
  toolstack: Toolstack,
  domain: Domain,
): Promise<readonly CatalogChange[]> {
  if (domain.toolstack !== 'libvirt') return [];
  const context = freeContext();
  const recorded = await toolstack.records(context);
  const known = catalog.snapshots(domain.name);
  const heads = await movedHeads(images, toolstack, domain);
  const now = heads ?? domain.disks;
  const lost = known.filter(one => isLost(one, recorded, now));
  const made = recorded
    .filter(({ name, disks }) => !known.some(one => one.name === name) && !isWrittenTo(disks, now))
    .map(one => snapshotOf(one, domain, recorded, known));
  const left = known.filter(one => !lost.includes(one));
  return [
    ...lost.map(({ name }) => ({ catalog: 'dropSnapshot' as const, domain: domain.name, name })),
    ...made.map(snapshot => ({ catalog: 'snapshot' as const, snapshot })),
    ...reparented(left, lost),
    ...(heads ? [{ catalog: 'heads' as const, domain: domain.name, disks: heads }] : []),
    ...currentChange(domain, made, lost),
  ];
}

/** Take them into the catalog. The caller holds the domain's lock, and no operation is open. */
export async function takeForeign(
  session: Session,
  toolstack: Toolstack,
  domain: Domain,
): Promise<Domain> {
  const changes = await foreignChanges(session, toolstack, domain);
  if (changes.length === 0) return domain;
  session.journal.note(() => {
    for (const change of changes) session.catalog.apply(change as Json);
  });
  return session.catalog.domain(domain.name) ?? domain;
}

/** The tree of a domain as it is now: of one whose toolstack does not answer, as the catalog has it. */
export async function treeNow(
  session: Session,
  domain: Domain,
): Promise<{ readonly domain: Domain; readonly snapshots: readonly Snapshot[] }> {
  const snapshots = session.catalog.snapshots(domain.name);
  if (domain.toolstack !== 'libvirt' || openOn(session, domain.name)) return { domain, snapshots };
  const toolstack = await session.openToolstack(domain);
  try {
    const changes = await foreignChanges(session, toolstack, domain);
    return withChanges(snapshots, domain, changes);
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    return { domain, snapshots };
  } finally {
    await toolstack.close();
  }
}

/** The tree as it is with such changes, for those who only look. */
export function withChanges(
  snapshots: readonly Snapshot[],
  domain: Domain,
  changes: readonly CatalogChange[],
): { readonly domain: Domain; readonly snapshots: readonly Snapshot[] } {
  const tree = new Map(snapshots.map(one => [one.name, one]));
  let seen = domain;
  for (const change of changes) {
    if (change.catalog === 'snapshot') tree.set(change.snapshot.name, change.snapshot);
    if (change.catalog === 'dropSnapshot') tree.delete(change.name);
    if (change.catalog === 'heads') seen = { ...seen, disks: change.disks };
    if (change.catalog === 'current') seen = { ...seen, current: change.current };
  }
  const ordered = [...tree.values()].sort((one, other) => one.createdAt - other.createdAt);
  return { domain: seen, snapshots: ordered };
}

/**
 * The heads as the toolstack has them, where that is the work of another's snapshot: the recorded head is
 * below the new one, or stood on it and has been merged down into it. Undefined where none have moved.
 */
async function movedHeads(
  images: Session['images'],
  toolstack: Toolstack,
  domain: Domain,
): Promise<Domain['disks'] | undefined> {
  const context = freeContext();
  const view = await toolstack.inspect(context, { agent: false });
  const now = new Map(
    view.runState === 'off'
      ? view.configured.map(({ device, head }) => [device, [head]] as const)
      : view.disks.map(({ device, chain }: LiveDisk) => [device, chain] as const),
  );
  const below = async (head: Volume) => {
    try {
      return (await images.chain(head, context, true)).map(({ volume }) => volume.path);
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      return [];
    }
  };
  const disks: DomainDisk[] = [];
  for (const disk of domain.disks) {
    const head = now.get(disk.device)?.[0];
    const moved = head !== undefined && head.path !== disk.head.path;
    const above = moved && (await below(head)).includes(disk.head.path);
    const merged =
      moved &&
      ((await below(disk.head)).includes(head.path) || !(await images.exists(disk.head.path)));
    disks.push(above || merged ? { ...disk, head } : disk);
  }
  return disks.some((disk, index) => disk !== domain.disks[index]) ? disks : undefined;
}

/** One of another's that has no record any more; or one whose image is written to again. */
function isLost(
  { operation, name, disks }: Snapshot,
  recorded: readonly RecordedSnapshot[],
  heads: Domain['disks'],
): boolean {
  const gone = operation === FOREIGN && !recorded.some(one => one.name === name);
  return gone || isWrittenTo(disks, heads);
}

const isWrittenTo = (held: readonly SnapshotDisk[], heads: Domain['disks']): boolean =>
  held.some(
    ({ mode, device, image }) =>
      mode === 'external' &&
      heads.some(disk => disk.device === device && disk.head.path === image.path),
  );

function snapshotOf(
  { name, parent, createdAt, description, disks, memory, deviceDigest, runState }: RecordedSnapshot,
  domain: Domain,
  recorded: readonly RecordedSnapshot[],
  inCatalog: readonly Snapshot[],
): Snapshot {
  const [first] = disks;
  const known = parent !== null && recorded.some(one => one.name === parent);
  return {
    operation: FOREIGN,
    domain: domain.name,
    name,
    parent: known ? parent : null,
    createdAt: madeAt({ parent, createdAt }, recorded, inCatalog),
    kind: 'snapshot',
    state: 'usable',
    description,
    consistency: memory ? 'memory' : runState === 'off' ? 'offline' : 'crash-consistent',
    why: memory || runState === 'off' ? '' : 'nobody knows whether its file systems were at rest',
    disks: [...disks],
    memory: memory
      ? {
          path: memory.file ?? first?.image.path ?? '',
          bytes: memory.file ? sizeOf(memory.file) : 0,
          sha256: '',
          deviceDigest,
          runState: runState === 'paused' ? 'paused' : 'running',
          capture: 'paused',
          ...(memory.file ? {} : { inside: name }),
        }
      : null,
  };
}

/** When a snapshot was made: libvirt tells whole seconds, and it is younger than its parent all the same. */
function madeAt(
  { parent, createdAt }: Pick<RecordedSnapshot, 'parent' | 'createdAt'>,
  recorded: readonly RecordedSnapshot[],
  inCatalog: readonly Snapshot[],
): number {
  const above = recorded.find(({ name }) => name === parent);
  const parentAt =
    inCatalog.find(({ name }) => name === parent)?.createdAt ??
    (above ? madeAt(above, recorded, inCatalog) : createdAt);
  return Math.max(createdAt, parentAt + (parent === null ? 0 : 1));
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Children of what is gone belong to the nearest ancestor that is left. */
function reparented(left: readonly Snapshot[], lost: readonly Snapshot[]): CatalogChange[] {
  const ancestor = (name: string | null): string | null => {
    const gone = lost.find(one => one.name === name);
    return gone ? ancestor(gone.parent) : name;
  };
  return left.flatMap(snapshot => {
    const parent = ancestor(snapshot.parent);
    if (parent === snapshot.parent) return [];
    return [{ catalog: 'snapshot' as const, snapshot: { ...snapshot, parent } }];
  });
}

/** The domain stands on the newest of what was made, or above what is gone. */
function currentChange(
  domain: Domain,
  made: readonly Snapshot[],
  lost: readonly Snapshot[],
): CatalogChange[] {
  const newest = made.toSorted((one, other) => one.createdAt - other.createdAt).at(-1);
  let current = domain.current;
  for (let gone = lost.find(one => one.name === current); gone; ) {
    current = gone.parent;
    gone = lost.find(one => one.name === current);
  }
  if (newest) current = newest.name;
  if (current === domain.current) return [];
  return [{ catalog: 'current' as const, domain: domain.name, current }];
}
