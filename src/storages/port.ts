import type { Volume } from '../catalog/model.ts';
import type { CallContext, Command } from '../toolstacks/port.ts';

/** What an image's own header says. */
export interface ImageView {
  readonly volume: Volume;
  /** What the guest sees. */
  readonly virtualBytes: number;
  /** What the file occupies on its file system. */
  readonly allocatedBytes: number;
  /** Bytes of the guest's data that this very image holds, those of its bases not counted. */
  readonly dataBytes: number;
  readonly backing: Volume | null;
  /** Internal snapshots, and those that a volume manager keeps of it; broken ones are not among them. */
  readonly tags: readonly string[];
  /** Of a raw image: the format that its first or last bytes are the mark of. */
  readonly mark?: string | undefined;
  /** Of a volume that a volume manager looks after: what that says of it. */
  readonly manager?: ManagedVolume | undefined;
}

/** A volume whose snapshots are volumes beside it, made by its volume manager. */
export interface ManagedVolume {
  /** `lvm`: each snapshot has a room of its own for what changes, and is lost where it runs full. */
  readonly kind: 'lvm' | 'lvm-thin';
  /** The volume group. */
  readonly group: string;
  /** Bytes of the group that no volume has. */
  readonly freeBytes: number;
  readonly extentBytes: number;
  /** Why other hosts may have it active as well; null where none can. */
  readonly shared: string | null;
  readonly active: boolean;
  readonly open: boolean;
  /** Its readers and writers wait: a command that changed it is at work, or was killed. */
  readonly suspended: boolean;
  /** Its own path, where the image is named by another one, which need not lead there for ever; else null. */
  readonly alias: string | null;
  /** It is a classic snapshot itself: LVM takes none of such. */
  readonly isSnapshot: boolean;
  /** A snapshot's content is on its way into this volume. */
  readonly merging: boolean;
  /** Where a thin volume's data and its map lie. */
  readonly pool: {
    readonly name: string;
    readonly sizeBytes: number;
    readonly dataPercent: number;
    readonly metadataPercent: number;
  } | null;
  /** Those that domsnap has made of it. */
  readonly snapshots: readonly VolumeSnapshot[];
  /** Classic ones that somebody else has made of it: what is written to the disk fills them too. */
  readonly foreign: readonly VolumeSnapshot[];
}

/** One snapshot of a managed volume: a volume whose name is the tag. */
export interface VolumeSnapshot {
  readonly tag: string;
  readonly merging: boolean;
  /** Somebody reads it, has mounted it, or stands on it. */
  readonly open: boolean;
  /** Of a classic one: the room that it has for what changes, and how much of that is used. */
  readonly sizeBytes: number;
  readonly usedBytes: number;
  /** Why it holds nothing any more; null for one that is whole. */
  readonly broken: string | null;
}

/**
 * Everything that can be done to images that no running domain writes to, as data. Each deed must
 * bear being done again where it was done or half done.
 */
export type ImageDeed =
  /** A new empty image over a base, durable, 0600, owned like the base. Never onto a foreign file. */
  | { readonly do: 'createOverlay'; readonly image: Volume; readonly base: Volume }
  /** A new empty file, durable, 0600, owned like the image beside it. */
  | { readonly do: 'createFile'; readonly path: string; readonly like: string }
  | {
      readonly do: 'tag';
      readonly image: Volume;
      readonly tag: string;
      /** Of a logical volume that is not thin: the room for what will change. */
      readonly roomBytes?: number | undefined;
    }
  | {
      readonly do: 'applyTag';
      readonly image: Volume;
      readonly tag: string;
      /** Of a logical volume that is not thin: the room that the snapshot is taken again with. */
      readonly roomBytes?: number | undefined;
    }
  | { readonly do: 'dropTag'; readonly image: Volume; readonly tag: string }
  /** The content of an internal snapshot into a new image of its own. */
  | {
      readonly do: 'extractTag';
      readonly image: Volume;
      readonly tag: string;
      readonly to: Volume;
    }
  /** Copy into `top` what it shows of the images between it and `base`; then it stands on `base`. */
  | { readonly do: 'rebase'; readonly top: Volume; readonly base: Volume | null }
  /** Remove what a `rebase` that was cut short has left beside the image. */
  | { readonly do: 'dropDraft'; readonly image: Volume }
  /** Write all that `top` (and what lies between) holds down into `base`. */
  | { readonly do: 'commit'; readonly top: Volume; readonly base: Volume }
  /**
   * Let `child` name `base` as its base, whose content has been proved to be the same. `fromNothing`: also where it
   * names none.
   */
  | {
      readonly do: 'repoint';
      readonly child: Volume;
      readonly base: Volume;
      readonly fromNothing?: true;
    }
  /** Everything about `trash` that can be done before the guest stands still. */
  | { readonly do: 'prepareTrash'; readonly path: string; readonly operation: string }
  /** Move a file to the trash folder beside it, under the operation's id, with a manifest. */
  | { readonly do: 'trash'; readonly path: string; readonly operation: string }
  /** Remove a file from a trash folder for good, and what is then empty. For `gc` alone. */
  | {
      readonly do: 'purge';
      readonly folder: string;
      readonly operation: string;
      readonly name: string;
    };

/** Images on this host, by the tools of their formats. Errors are StepErrors. */
export interface Images {
  /** Throws StepError `missing` or `bad-image`. `inUse`: a running domain has it open; only read. */
  view(volume: Volume, context: CallContext, inUse?: boolean): Promise<ImageView>;
  /** The same images, for a look at many of them: what several of them are in is asked once. */
  atOneMoment(): Images;
  /** Wait until the host has done with what it does to new volumes by itself: it opens them for that. */
  settle(context: CallContext): Promise<void>;
  /** The image and its bases, head first. */
  chain(volume: Volume, context: CallContext, inUse?: boolean): Promise<readonly ImageView[]>;
  exists(path: string): Promise<boolean>;
  /** The same for every name of one file; undefined where there is none. */
  identity(path: string): Promise<string | undefined>;
  /** Is a tool that an earlier life of the engine started still at work on this image? */
  busy(volume: Volume): Promise<boolean>;
  /** Processes that have the file open. */
  openedBy(path: string): Promise<readonly number[]>;
  freeBytes(path: string): Promise<number>;
  /** Length and SHA-256 of a file. */
  digest(path: string, context: CallContext): Promise<{ bytes: number; sha256: string }>;
  perform(deed: ImageDeed, context: CallContext): Promise<void>;
  preview(deed: ImageDeed): readonly Command[];
}
