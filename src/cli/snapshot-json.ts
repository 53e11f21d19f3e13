import type { Snapshot } from '../catalog/model.ts';

/** A snapshot as programs are shown it. */
export interface SnapshotJson {
  readonly name: string;
  readonly parent: string | null;
  readonly kind: Snapshot['kind'];
  readonly state: Snapshot['state'];
  readonly createdAt: string;
  readonly consistency: Snapshot['consistency'];
  readonly why: string;
  readonly description: string;
  readonly operation: string;
  readonly disks: Snapshot['disks'];
  readonly memory: Snapshot['memory'];
}

/** Times as ISO 8601 in UTC; all else as the catalog has it. */
export function snapshotJson(snapshot: Snapshot): SnapshotJson {
  const { domain: _, createdAt, ...rest } = snapshot;
  return { ...rest, createdAt: new Date(createdAt).toISOString() };
}
