import { createHash } from 'node:crypto';
import type { Volume } from '../../src/catalog/model.ts';
import { StepError } from '../../src/engine/step.ts';

/** Blocks of every simulated disk; 0 stands for a block of zeros. */
export const BLOCKS = 16;
export type Content = readonly number[];

/** What a simulated image holds itself. */
export interface SimImage {
  readonly kind: 'image';
  readonly format: string;
  backing: Volume | null;
  readonly blocks: Map<number, number>;
  readonly tags: Map<string, ReadonlyMap<number, number>>;
  /** Of a logical volume: the snapshot that is being merged into it, and used up by that. */
  merging?: { readonly tag: string; readonly held: ReadonlyMap<number, number> } | undefined;
}

/** A logical volume: its volume manager keeps its snapshots, and takes them also while it is open. */
export const isVolume = (path: string): boolean => path.startsWith('/dev/');

/** A file that is no image. */
export interface SimFile {
  readonly kind: 'file';
  text: string;
}

/** The simulated file system: files and images by path. All that is written is durable. */
export class ImageStore {
  readonly files = new Map<string, SimImage | SimFile>();
  /** Blocks that can still be allocated. */
  freeBlocks = 10_000;

  /** The same files, which change apart from these. */
  fork(): ImageStore {
    const other = new ImageStore();
    other.freeBlocks = this.freeBlocks;
    for (const [path, file] of this.files) other.files.set(path, copyOf(file));
    return other;
  }

  /** Throws StepError `missing` or `bad-image`. */
  image({ path, format }: Volume): SimImage {
    const found = this.files.get(path);
    if (!found) throw new StepError('missing', `${path} is not there`, { retryable: false });
    if (found.kind !== 'image' || found.format !== format) {
      throw new StepError('bad-image', `${path} is not in ${format} format`, { retryable: false });
    }
    return found;
  }

  makeImage({ path, format }: Volume, backing: Volume | null): SimImage {
    const image: SimImage = { kind: 'image', format, backing, blocks: new Map(), tags: new Map() };
    this.files.set(path, image);
    return image;
  }

  /** The volume and its bases, head first. */
  chain(volume: Volume): Volume[] {
    const chain: Volume[] = [];
    for (let next: Volume | null = volume; next; next = this.image(next).backing) {
      if (chain.some(({ path }) => path === next?.path)) {
        throw new StepError('bad-image', `${next.path} is its own base`, { retryable: false });
      }
      chain.push(next);
    }
    return chain;
  }

  /** What a guest would read; with a tag, what it would have read then. */
  content(volume: Volume, tag?: string): Content {
    return Array.from({ length: BLOCKS }, (_, block) => this.read(volume, block, tag));
  }

  read(volume: Volume, block: number, tag?: string): number {
    const own = this.image(volume);
    // A snapshot that is on its way into its volume is taken again when that is brought to its end.
    const held = own.merging?.tag === tag ? own.merging?.held : undefined;
    const blocks = tag === undefined ? own.blocks : (own.tags.get(tag) ?? held);
    if (!blocks) throw new StepError('missing', `${volume.path} has no tag ${tag}`);
    const value = blocks.get(block);
    if (value !== undefined) return value;
    return own.backing ? this.read(own.backing, block) : 0;
  }

  /** The value that the images above `base` give a block, or undefined where they leave it to it. */
  readAbove(top: Volume, base: Volume | null, block: number): number | undefined {
    for (const volume of this.chain(top)) {
      if (volume.path === base?.path) return undefined;
      const value = this.image(volume).blocks.get(block);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** Throws StepError `no-space` where a new block finds none. */
  write(volume: Volume, block: number, value: number): void {
    const { blocks } = this.image(volume);
    if (!blocks.has(block)) {
      if (this.freeBlocks <= 0) throw new StepError('no-space', `no space for ${volume.path}`);
      this.freeBlocks -= 1;
    }
    blocks.set(block, value);
  }

  /** A text that is the same only for the same state of all files. */
  fingerprint(): string {
    const entries = [...this.files].map(([path, file]) =>
      file.kind === 'file'
        ? [path, file.text]
        : [path, file.format, file.backing, [...file.blocks].sort(), [...file.tags.keys()].sort()],
    );
    return JSON.stringify(entries.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
  }
}

function copyOf(file: SimImage | SimFile): SimImage | SimFile {
  if (file.kind === 'file') return { ...file };
  // A volume and what a tag holds are never changed in place.
  return { ...file, blocks: new Map(file.blocks), tags: new Map(file.tags) };
}

/** Length and SHA-256 of a text, as of a file. */
export const digestOf = (text: string): { bytes: number; sha256: string } => ({
  bytes: Buffer.byteLength(text),
  sha256: createHash('sha256').update(text).digest('hex'),
});
