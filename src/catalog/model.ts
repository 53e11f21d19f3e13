import { z } from 'zod';

/** One image or volume: a path, and the format by which it is opened. Never probed. */
export const Volume = z.object({ path: z.string(), format: z.string() });
export type Volume = z.infer<typeof Volume>;

/**
 * Whether a disk's internal snapshots are its volume manager's, and not in the image: what is raw has no
 * room for any. QEMU knows nothing of them.
 */
export const isManaged = ({ format }: Volume): boolean => format === 'raw';

/** How a snapshot holds one disk. `none`: the disk is not part of it. */
export const DiskMode = z.enum(['internal', 'external', 'none']);
export type DiskMode = z.infer<typeof DiskMode>;

/** One disk of a snapshot: the image that holds its content, for internal ones under a tag. */
export const SnapshotDisk = z.object({
  device: z.string(),
  mode: DiskMode,
  image: Volume,
  tag: z.string().optional(),
});
export type SnapshotDisk = z.infer<typeof SnapshotDisk>;

/** The memory of a checkpoint. */
export const Memory = z.object({
  path: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  /** What the machine looked like to its guest: memory loads into nothing else. */
  deviceDigest: z.string(),
  /** How the guest was when it was saved. */
  runState: z.enum(['running', 'paused']),
  capture: z.enum(['background', 'precopy', 'paused']),
  /** It has no file of its own, but lies in the image `path`, under this tag; then nobody has digested it. */
  inside: z.string().optional(),
});
export type Memory = z.infer<typeof Memory>;

/** The file that saved memory alone is in; undefined where it lies in an image. */
export const memoryFile = (memory: Memory | null): string | undefined =>
  memory && memory.inside === undefined ? memory.path : undefined;

/** What can be relied on after a revert. Always what was reached, never only what was asked for. */
export const Consistency = z.enum(['memory', 'guest-frozen', 'offline', 'crash-consistent']);
export type Consistency = z.infer<typeof Consistency>;

/** A node of a domain's tree. */
export const Snapshot = z.object({
  /** The operation that made it. */
  operation: z.string(),
  domain: z.string(),
  name: z.string(),
  parent: z.string().nullable(),
  createdAt: z.number(),
  /** `abandoned`: what the disks held when somebody reverted to another snapshot. */
  kind: z.enum(['snapshot', 'abandoned']),
  state: z.enum(['creating', 'usable', 'dissolving']),
  description: z.string(),
  consistency: Consistency,
  /** Why the consistency is not better, where somebody may wonder. */
  why: z.string(),
  disks: z.array(SnapshotDisk),
  memory: Memory.nullable(),
});
export type Snapshot = z.infer<typeof Snapshot>;

/** A disk of a domain, as its toolstack attaches it, with its head. */
export const DomainDisk = z.object({ device: z.string(), head: Volume });
export type DomainDisk = z.infer<typeof DomainDisk>;

/** A domain that domsnap looks after. */
export const Domain = z.object({
  name: z.string(),
  toolstack: z.enum(['qemu', 'libvirt', 'xen']),
  /** What the toolstack needs to know; parsed by the toolstack. */
  config: z.unknown(),
  /** The image that each disk writes to now, in the order of the domain's disks. */
  disks: z.array(DomainDisk),
  /** The snapshot that the heads descend from. */
  current: z.string().nullable(),
  addedAt: z.number(),
});
export type Domain = z.infer<typeof Domain>;

/** What a step may change in the catalog; applied in the transaction of the step's record. */
export const CatalogChange = z.lazy(() =>
  z.discriminatedUnion('catalog', [
    z.object({ catalog: z.literal('domain'), domain: Domain }),
    z.object({ catalog: z.literal('dropDomain'), name: z.string() }),
    z.object({ catalog: z.literal('heads'), domain: z.string(), disks: z.array(DomainDisk) }),
    z.object({ catalog: z.literal('current'), domain: z.string(), current: z.string().nullable() }),
    z.object({ catalog: z.literal('snapshot'), snapshot: Snapshot }),
    z.object({ catalog: z.literal('dropSnapshot'), domain: z.string(), name: z.string() }),
  ]),
);
export type CatalogChange = z.infer<typeof CatalogChange>;

/** What everybody may ask of the catalog. */
export interface Catalog {
  domain(name: string): Domain | undefined;
  domains(): readonly Domain[];
  snapshot(domain: string, name: string): Snapshot | undefined;
  /** All nodes of a domain's tree, oldest first. */
  snapshots(domain: string): readonly Snapshot[];
}
