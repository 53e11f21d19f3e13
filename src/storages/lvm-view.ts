import type { Volume } from '../catalog/model.ts';
import { StepError } from '../engine/step.ts';
import { fileExists } from '../tools/file-facts.ts';
import { lockedHereAlone } from '../tools/lvm-locks.ts';
import { logicalVolumeAt, namedBy } from '../tools/lvm-name.ts';
import { type LogicalVolume, volumesOf } from '../tools/lvm-report.ts';
import { ToolError } from '../tools/tool-error.ts';
import type { CallContext } from '../toolstacks/port.ts';
import type { ImageView, VolumeSnapshot } from './port.ts';

/**
 * The mark on every volume that domsnap makes of another: it holds the other's name. LVM's own note of
 * the origin goes with the origin when a thin volume's place is taken by another's content.
 */
export const markOf = (lv: string): string => `domsnap.of=${lv}`;

/** How the tag on a disk begins that says which snapshot is being put in its place (see lvm.ts). */
export const UNDER_WAY = 'domsnap.merge=';

/** How a view gets to know what LVM has. */
export interface AskLvm {
  readonly volumes: typeof volumesOf;
  /** Which volumes are locked for this host alone; not asked by whoever works on what a plan has looked at. */
  readonly locks?: typeof lockedHereAlone;
}

/** Asks as often as it is asked. */
export const askLvm: AskLvm = { volumes: volumesOf };

/** Asks once for each group, and once for the locks: for a look at many volumes. */
export function askLvmOnce(): AskLvm {
  const known = new Map<string, ReturnType<typeof volumesOf>>();
  let locks: ReturnType<typeof lockedHereAlone> | undefined;
  return {
    volumes(vg, call) {
      const found = known.get(vg) ?? volumesOf(vg, call);
      known.set(vg, found);
      return found;
    },
    locks(call) {
      locks ??= lockedHereAlone(call);
      return locks;
    },
  };
}

/**
 * What LVM says of a logical volume; undefined where the path is something else, or nothing.
 * Throws StepError `missing` for a volume that is not active; ToolError as `volumesOf`.
 */
export async function viewLogicalVolume(
  volume: Volume,
  context: CallContext,
  ask: AskLvm,
): Promise<ImageView | undefined> {
  const name = await logicalVolumeAt(volume.path);
  if (!name) return undefined;
  const all = await ask.volumes(name.vg, context).catch(async error => {
    // Nothing is there, and no group has such a name: then it is no volume either.
    if (await fileExists(volume.path)) throw error;
    return [];
  });
  const found = all.find(other => other.name === name.lv);
  if (!found) return undefined;
  if (found.active) return viewOf(volume, found, all, await sharedWith(found, all, ask, context));
  const message = found.tags.some(tag => tag.startsWith(UNDER_WAY))
    ? `${volume.path} is being reverted, and not active until that has come to its end: 'domsnap recover'`
    : `${volume.path} is not active; 'lvchange -ay ${name.vg}/${name.lv}' makes it so`;
  throw new StepError('missing', message, { retryable: false });
}

/** Why other hosts may have a volume active as well; null where none can. */
async function sharedWith(
  of: LogicalVolume,
  all: readonly LogicalVolume[],
  { locks }: AskLvm,
  context: CallContext,
): Promise<string | null> {
  if (!of.group.shared) return null;
  try {
    const alone = await locks?.(context);
    return alone?.has(lockedWith(of, all).uuid) ? null : 'it is not active on this one alone';
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return `which of them have it active cannot be told: ${error.message}`;
  }
}

/** The volume whose lock stands for this one's too: a thin one's pool, a classic snapshot's origin. */
function lockedWith(of: LogicalVolume, all: readonly LogicalVolume[]): LogicalVolume {
  const holder = of.segment === 'thin' ? of.pool : of.pool === null ? of.origin : null;
  return all.find(({ name }) => name === holder) ?? of;
}

/** What a report of its volume group says of a volume. */
function viewOf(
  volume: Volume,
  of: LogicalVolume,
  all: readonly LogicalVolume[],
  shared: string | null,
): ImageView {
  const pool = all.find(({ name, segment }) => name === of.pool && segment === 'thin-pool');
  const snapshots = snapshotsOf(of, all);
  const { freeBytes, extentBytes } = of.group;
  const isSnapshot = of.pool === null && of.origin !== null;
  return {
    volume,
    // A classic snapshot shows all of its origin, whatever room it has of its own.
    virtualBytes:
      (isSnapshot && all.find(({ name }) => name === of.origin)?.sizeBytes) || of.sizeBytes,
    allocatedBytes: of.sizeBytes,
    dataBytes: of.sizeBytes,
    backing: null,
    tags: snapshots.filter(({ broken }) => broken === null).map(({ tag }) => tag),
    manager: {
      kind: of.pool === null ? 'lvm' : 'lvm-thin',
      group: of.vg,
      freeBytes,
      extentBytes,
      shared,
      active: of.active,
      open: of.open,
      suspended: of.suspended,
      alias: namedBy(volume.path)?.lv === of.name ? null : `/dev/${of.vg}/${of.name}`,
      isSnapshot,
      merging: of.merging || snapshots.some(({ merging }) => merging),
      pool: pool
        ? {
            name: pool.name,
            sizeBytes: pool.sizeBytes,
            dataPercent: pool.dataPercent ?? 0,
            metadataPercent: pool.metadataPercent ?? 0,
          }
        : null,
      snapshots,
      foreign: all
        .filter(one => one.origin === of.name && one.pool === null)
        .filter(({ tags }) => !tags.includes(markOf(of.name)))
        .map(one => snapshotOf(one, of)),
    },
  };
}

function snapshotsOf(of: LogicalVolume, all: readonly LogicalVolume[]): VolumeSnapshot[] {
  return all.filter(({ tags }) => tags.includes(markOf(of.name))).map(one => snapshotOf(one, of));
}

const snapshotOf = (one: LogicalVolume, of: LogicalVolume): VolumeSnapshot => ({
  tag: one.name,
  merging: one.merging,
  open: one.open,
  sizeBytes: one.sizeBytes,
  usedBytes: ((one.dataPercent ?? 0) / 100) * one.sizeBytes,
  broken: brokenness(one, of),
});

/** Why a snapshot holds nothing that could be gone back to. */
function brokenness(one: LogicalVolume, of: LogicalVolume): string | null {
  if (one.invalid) return 'it ran full, and LVM has given it up';
  if (of.pool !== null) return one.pool === of.pool ? null : `it is no thin volume of ${of.pool}`;
  return one.origin === of.name ? null : `it is no snapshot of ${of.name}`;
}
