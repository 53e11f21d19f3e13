import { z } from 'zod';
import { DiskMode, DomainDisk, Memory, Snapshot, Volume } from '../catalog/model.ts';
import { CAPTURES } from '../toolstacks/port.ts';

/** How the domain is to be, before and after. */
const runState = z.enum(['off', 'running', 'paused']);

/** What all operations know. */
const Common = z.object({
  domain: z.string(),
  /** The snapshot that is made, reverted to or deleted. */
  name: z.string(),
  /** When the plan was made; time enters a machine only here. */
  at: z.number(),
  runBefore: runState,
  runAfter: runState,
});

/** What happens to one disk when a snapshot is made. */
export const CreateDisk = z.object({
  device: z.string(),
  mode: DiskMode,
  head: Volume,
  /** The next head, of an external disk. */
  overlay: Volume.optional(),
  /** The tag, of an internal disk. */
  tag: z.string().optional(),
  /** Of a logical volume that is not thin: the room that its snapshot gets for what will change. */
  roomBytes: z.number().optional(),
});
export type CreateDisk = z.infer<typeof CreateDisk>;

/** The plan of a create. */
export const CreateInput = Common.extend({
  operation: z.literal('create'),
  parent: z.string().nullable(),
  description: z.string(),
  quiesce: z.enum(['require', 'try', 'no']),
  /** Why there will be no freeze, where one was asked for; else empty. */
  unfrozenWhy: z.string().default(''),
  disks: z.array(CreateDisk),
  memory: z
    .object({ path: z.string(), capture: z.enum(CAPTURES), deviceDigest: z.string() })
    .nullable(),
});
export type CreateInput = z.infer<typeof CreateInput>;

/** What happens to one disk in a revert. */
export const RevertDisk = z.object({
  device: z.string(),
  /**
   * `overlay`: a new head over the snapshot's image. `apply`: the internal snapshot is put in place.
   * `extract`: it is copied out into a new head, since its image has children. `keep`: not touched.
   */
  how: z.enum(['overlay', 'apply', 'extract', 'keep']),
  image: Volume,
  tag: z.string().optional(),
  head: Volume,
  newHead: Volume.optional(),
  /** The tag that keeps what an applied disk held before. */
  abandonTag: z.string().optional(),
  /** Of a logical volume that is not thin: the room of the snapshot that keeps that. */
  roomBytes: z.number().optional(),
});
export type RevertDisk = z.infer<typeof RevertDisk>;

/** The plan of a revert. */
export const RevertInput = Common.extend({
  operation: z.literal('revert'),
  disks: z.array(RevertDisk),
  memory: Memory.nullable(),
  /** The node that keeps what the disks held. Each plan makes one; null only in older journals. */
  abandoned: Snapshot.nullable(),
  /** The checkpoint that was taken right before, so that memory can be brought back, too. */
  safety: z.object({ name: z.string(), operation: z.string() }).optional(),
  /** It takes back another revert; the node that it goes to is then dissolved. */
  undoes: z
    .object({
      operation: z.string(),
      /** The operation that made the node: a name may be used again. */
      node: z.string(),
      extent: z.enum(['one', 'children']),
    })
    .optional(),
});
export type RevertInput = z.infer<typeof RevertInput>;

/** One merge: `top` takes up what lies between it and `base`, or writes itself down into it. */
export const PlannedMerge = z.object({
  device: z.string(),
  top: Volume,
  base: Volume.nullable(),
  /** Upward: what `top` stands on before. */
  from: Volume.optional(),
  /** By a job of the running domain, else by a tool on the host. */
  live: z.boolean(),
  /** Images that stand on `top` and must stand on `base` after it is gone (offline, downward). */
  children: z.array(Volume),
  bytes: z.number(),
});
export type PlannedMerge = z.infer<typeof PlannedMerge>;

/** The plan of a delete. */
export const DeleteInput = Common.extend({
  operation: z.literal('delete'),
  victims: z.array(z.string()),
  mergesUp: z.array(PlannedMerge),
  mergesDown: z.array(PlannedMerge),
  tags: z.array(
    z.object({ device: z.string(), image: Volume, tag: z.string(), live: z.boolean() }),
  ),
  /** Files that nothing needs once the rest is done. */
  trash: z.array(z.string()),
  /** How the tree stands afterwards. */
  heads: z.array(DomainDisk),
  current: z.string().nullable(),
  /**
   * Snapshots that stay, but change: with another parent, or on other images. Those that stay as they are
   * are not in it. (Stored journals have it under this name.)
   */
  remaining: z.array(Snapshot),
});
export type DeleteInput = z.infer<typeof DeleteInput>;

/** The merges by which a disk of the running domain goes over to another head. */
export const headMerges = ({ mergesDown, heads }: DeleteInput): readonly PlannedMerge[] =>
  mergesDown.filter(
    ({ device, base, live }) =>
      live && heads.some(disk => disk.device === device && disk.head.path === base?.path),
  );

/** One repair of a domain; `name` is the code of the finding. */
export const RepairInput = Common.extend({
  operation: z.literal('repair'),
  /** Block jobs to end. */
  jobs: z.array(z.string()),
  /** The heads to record, as the running domain has them. */
  heads: z.array(DomainDisk),
  /** Files to move to the trash. */
  orphans: z.array(z.string()),
});
export type RepairInput = z.infer<typeof RepairInput>;

/** What `gc` removes for good. It works on the host, not on a domain. */
export const GcInput = Common.extend({
  operation: z.literal('gc'),
  files: z.array(
    z.object({
      /** The trash folder beside the images. */
      folder: z.string(),
      /** The operation that put it there: the name of the folder within. */
      operation: z.string(),
      name: z.string(),
      bytes: z.number(),
    }),
  ),
});
export type GcInput = z.infer<typeof GcInput>;

/** The plan of any operation. */
export const CaseInput = z.discriminatedUnion('operation', [
  CreateInput,
  RevertInput,
  DeleteInput,
  RepairInput,
  GcInput,
]);
export type CaseInput = z.infer<typeof CaseInput>;

/** The name of a block job: one for each device and operation, so that the next life finds it. */
export const jobName = (operation: string, device: string, what: string): string =>
  `domsnap-${operation}-${what}-${device}`;
