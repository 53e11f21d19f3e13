import { isManaged, type Snapshot } from '../catalog/model.ts';
import { freeContext, type Session } from '../operations/session.ts';
import { percentUsed } from '../storages/fullness.ts';
import type { VolumeSnapshot } from '../storages/port.ts';

/** What a volume manager says of the volumes that a snapshot lies in. */
export interface VolumeState {
  /** Of the fullest: how much of its room for changes is used; null for thin ones, which share a pool. */
  readonly usedPercent: number | null;
  /** Why one of them holds nothing any more. */
  readonly broken: string | null;
}

/**
 * Asks the volume manager once for each group of volumes, and not at all where there is none: by name of the
 * snapshot. What cannot be asked is left out: `doctor` says why.
 */
export async function volumeStates(
  { images }: Pick<Session, 'images'>,
  snapshots: readonly Snapshot[],
): Promise<ReadonlyMap<string, VolumeState>> {
  const tagged = snapshots.flatMap(({ name, disks }) =>
    disks.flatMap(({ mode, image, tag }) =>
      mode === 'internal' && tag !== undefined && isManaged(image) ? [{ name, image, tag }] : [],
    ),
  );
  const states = new Map<string, VolumeState>();
  const moment = images.atOneMoment();
  for (const path of new Set(tagged.map(({ image }) => image.path))) {
    const view = await moment
      .view({ path, format: 'raw' }, freeContext(), true)
      .catch(() => undefined);
    const manager = view?.manager;
    if (!manager) continue;
    for (const { name, tag } of tagged.filter(({ image }) => image.path === path)) {
      const found = manager.snapshots.find(one => one.tag === tag);
      const next = stateOf(manager.kind, found);
      states.set(name, worse(states.get(name), next));
    }
  }
  return states;
}

function stateOf(kind: 'lvm' | 'lvm-thin', found: VolumeSnapshot | undefined): VolumeState {
  if (!found) return { usedPercent: null, broken: 'its volume is gone' };
  return { usedPercent: kind === 'lvm' ? percentUsed(found) : null, broken: found.broken };
}

const worse = (one: VolumeState | undefined, other: VolumeState): VolumeState => ({
  usedPercent:
    one?.usedPercent == null
      ? other.usedPercent
      : Math.max(one.usedPercent, other.usedPercent ?? 0),
  broken: one?.broken ?? other.broken,
});
