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
  /** Internal snapshots. */
  readonly tags: readonly string[];
  /** Of a raw image: the format that its first or last bytes are the mark of. */
  readonly mark?: string | undefined;
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
  | { readonly do: 'tag'; readonly image: Volume; readonly tag: string }
  | { readonly do: 'applyTag'; readonly image: Volume; readonly tag: string }
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
  /** Let `child` name `base` as its base, whose content has been proved to be the same. */
  | { readonly do: 'repoint'; readonly child: Volume; readonly base: Volume }
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
