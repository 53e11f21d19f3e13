import type { DomainDisk, Snapshot, SnapshotDisk, Volume } from '../catalog/model.ts';
import type { Json } from '../engine/json.ts';
import type { EffectContext } from '../engine/step.ts';

/** What a call may know of the effect that it belongs to. */
export type CallContext = Pick<EffectContext, 'key' | 'signal' | 'log' | 'progress'> &
  Partial<Pick<EffectContext, 'again'>>;

/** The key of calls that belong to no effect: a plan's questions, which can be put again. */
export const NO_EFFECT = 'none';

/** A command as a person would type it or a monitor take it: what a plan shows and an audit keeps. */
export interface Command {
  readonly tool: 'qmp' | 'agent' | 'exec' | 'file';
  readonly command: Json;
}

/** How memory can be saved, best first. */
export const CAPTURES = ['background', 'precopy', 'paused'] as const;
export type Capture = (typeof CAPTURES)[number];

/** How a domain stands. `other`: a state in which nothing may be begun, such as a foreign migration. */
export type RunState = 'off' | 'running' | 'paused' | 'other';

/** A disk as the toolstack itself sees it now, head first. It ranks above the catalog. */
export interface LiveDisk {
  readonly device: string;
  /**
   * QEMU writes to the head, and whoever looks after QEMU has not heard of it, and cannot work with it:
   * it died as it was being taken. Such a head is to be taken back.
   */
  readonly strayed?: true;
  readonly chain: readonly Volume[];
}

/** A block job that is under way, or has ended and waits to be dismissed. */
export interface BlockJob {
  readonly id: string;
  readonly kind: string;
  readonly status: string;
  readonly error: string | null;
}

/** Everything that a plan asks about a domain. Asking changes nothing. */
export interface DomainView {
  readonly runState: RunState;
  /** The toolstack's own word for the state, for people. */
  readonly rawState: string;
  /** What gets it out of a state that does not end by itself, for people. */
  readonly wayOut?: string | undefined;
  /** Empty while the domain is off: then the images' headers are the truth. */
  readonly disks: readonly LiveDisk[];
  /** What the next start writes to, where the toolstack keeps that itself; else only the catalog knows. */
  readonly configured: readonly DomainDisk[];
  /** Into which images of its running chains the toolstack can pull data up. */
  readonly pulls: 'any' | 'head';
  /** Images of its running chains that this host does not let its QEMU write to, whatever that is told. */
  readonly sealed: readonly string[];
  /** Disks that the guest may write to and that the domain was not described with: no snapshot has them. */
  readonly strangeDisks: readonly string[];
  readonly jobs: readonly BlockJob[];
  /** Digest of what the machine looks like to its guest: of the running one, else of the next start. */
  readonly deviceDigest: string;
  /** The same of the next start: another one where the configuration was changed while it runs. */
  readonly nextDeviceDigest: string;
  readonly memoryBytes: number;
  /** Which captures work here, and why the others do not. */
  readonly captures: Readonly<Record<Capture, { readonly works: boolean; readonly why: string }>>;
  readonly agent: { readonly answers: boolean; readonly why: string };
  readonly version: string;
}

/** One merge by a block job of the running domain. The job's name is derived from the operation. */
export interface Merge {
  readonly job: string;
  readonly device: string;
  readonly top: Volume;
  /** null: into (or onto) nothing, the top takes everything up. */
  readonly base: Volume | null;
}

/**
 * Everything that can be done to a domain, as data: a step names deeds, a toolstack carries them out,
 * a plan previews them. Each deed must bear being done again where it was done or half done.
 */
export type DomainDeed =
  /** Let the domain's process open new overlays, unused yet; or close them. */
  | { readonly do: 'attachOverlays'; readonly key: string; readonly overlays: readonly Overlay[] }
  | { readonly do: 'detachVolumes'; readonly volumes: readonly Volume[] }
  | { readonly do: 'freeze' }
  | { readonly do: 'thaw' }
  | { readonly do: 'pause' }
  /**
   * See that the guest stands still, with all that it has written in its images. Throws `not-paused`
   * where somebody else has let it run.
   */
  | { readonly do: 'quiesce' }
  /**
   * Also out of a migration's end: one that waits to switch over is called off first. Answers the
   * `status` that it leaves: `off` where there is no domain to let run.
   */
  | { readonly do: 'resume' }
  /** All disks at one instant, or none. */
  | {
      readonly do: 'snapshotDisks';
      readonly external: readonly Overlay[];
      readonly internal: readonly Tagged[];
    }
  | { readonly do: 'dropTags'; readonly internal: readonly Tagged[] }
  /** Everything about a capture that can be done before the guest stands still. */
  | { readonly do: 'prepareCapture'; readonly capture: Capture }
  /** Begin to save the memory. `precopy` ends with the guest standing still, all else asked first. */
  | { readonly do: 'beginCapture'; readonly capture: Capture; readonly path: string }
  /** Wait until the memory is saved and on disk; answers CaptureResult. */
  | { readonly do: 'finishCapture'; readonly capture: Capture; readonly path: string }
  | { readonly do: 'cancelCapture'; readonly capture: Capture; readonly path: string }
  /** Pull data up into tops; all disks move together. */
  | { readonly do: 'mergeUp'; readonly merges: readonly Merge[] }
  /**
   * Write tops down into bases. Where the top is a head, only until the job is `ready`: the guest
   * still writes to the top (mirrored), and nothing has moved. Tops inside the chain are merged whole.
   */
  | { readonly do: 'mergeDown'; readonly merges: readonly Merge[] }
  /**
   * Let the heads among the tops go over to their bases, all together, and no more than that.
   * The guest stands still: it must not write to a base before the stale top has been moved away, or
   * a later life could take the stale top for the truth and merge it again.
   */
  | { readonly do: 'pivotMerges'; readonly merges: readonly Merge[] }
  /** Forget the jobs of those that have gone over, and close the images that they left. */
  | { readonly do: 'closeMerges'; readonly merges: readonly Merge[] }
  | { readonly do: 'cancelMerges'; readonly jobs: readonly string[] }
  /** Have the domain's configuration, where its toolstack keeps one, name these heads for its next start. */
  | { readonly do: 'configureHeads'; readonly heads: readonly Overlay[] }
  /** Have the toolstack's own records, where it keeps any, show a snapshot; or not show some any more. */
  | {
      readonly do: 'tellSnapshot';
      readonly snapshot: Snapshot;
      readonly overlays: readonly Overlay[];
      readonly current: boolean;
    }
  /** Have them take a record up that comes from elsewhere. */
  | { readonly do: 'takeRecord'; readonly record: string }
  | { readonly do: 'untellSnapshots'; readonly names: readonly string[] }
  | { readonly do: 'moveRecords'; readonly files: readonly { from: string; to: string }[] }
  | { readonly do: 'tellCurrent'; readonly name: string | null }
  | { readonly do: 'stop' }
  | { readonly do: 'start'; readonly heads: readonly Overlay[]; readonly paused: boolean }
  /** Start with saved memory, standing still. Refuses another device tree than the digest's. */
  | {
      readonly do: 'startFrom';
      readonly heads: readonly Overlay[];
      /** `inside`: it lies in the heads themselves, under this tag, and not in a file. */
      readonly memory: {
        readonly path: string;
        readonly deviceDigest: string;
        readonly inside?: string | undefined;
      };
    };

/** A volume on the way to become, or being, the head of a device. */
export interface Overlay {
  readonly device: string;
  readonly volume: Volume;
}

/** An internal snapshot in the head of a device. */
export interface Tagged {
  readonly device: string;
  readonly tag: string;
}

/** A snapshot as the toolstack's own records have it. */
export interface RecordedSnapshot {
  readonly name: string;
  readonly parent: string | null;
  readonly createdAt: number;
  readonly description: string;
  readonly disks: readonly SnapshotDisk[];
  /** Saved memory: in a file, or (null) inside the images under the snapshot's tag. */
  readonly memory: { readonly file: string | null } | null;
  /** What such memory loads into, in the toolstack's own word. */
  readonly deviceDigest: string;
  readonly runState: 'off' | 'running' | 'paused';
}

/** What a finished capture leaves. */
export interface CaptureResult {
  readonly bytes: number;
  readonly sha256: string;
}

/** What freeze and thaw answer. */
export interface FreezeResult {
  readonly filesystems: number;
}

/** One domain under one toolstack. Errors are StepErrors. */
export interface Toolstack {
  /** `agent: false` does not ask the guest's agent, which is slow to answer and not always needed. */
  inspect(context: CallContext, ask?: { readonly agent: boolean }): Promise<DomainView>;
  runState(context: CallContext): Promise<RunState>;
  /** The chains of the running domain's disks; empty while it is off. */
  liveDisks(context: CallContext): Promise<readonly LiveDisk[]>;
  /** Are the guest's file systems frozen? Throws where the agent does not say. */
  frozen(context: CallContext): Promise<boolean>;
  jobs(context: CallContext): Promise<readonly BlockJob[]>;
  /** Tags of the internal snapshots in the running domain's heads, by device. */
  liveTags(context: CallContext): Promise<Readonly<Record<string, readonly string[]>>>;
  /** The snapshots that the toolstack itself has records of; none where it keeps none. */
  records(context: CallContext): Promise<readonly RecordedSnapshot[]>;
  /** Such a record of a snapshot, in the toolstack's own form. Throws `no-records` where it has none. */
  record(snapshot: Snapshot, context: CallContext): Promise<string>;
  perform(deed: DomainDeed, context: CallContext): Promise<Json>;
  /** The commands that `perform` would give, where nothing goes wrong. */
  preview(deed: DomainDeed): readonly Command[];
  /** Let connections go. */
  close(): Promise<void>;
}
