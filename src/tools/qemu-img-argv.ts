import type { ImageFormat } from './image-format.ts';
import type { Argv } from './run.ts';
import { ToolError } from './tool-error.ts';

// Every function here is pure: it returns the exact command, so that a plan can show it and a step
// can run it. Formats are always named. Measured with strace on qemu-img 7.2: create, rebase, commit,
// snapshot and `convert -t writeback` end with fdatasync of what they wrote; the entry in the folder
// is the caller's to sync.

/**
 * Makes a qcow2 overlay over `base`. qemu-img empties a file that exists: create it with
 * `createExclusive` first, whose mode it keeps.
 */
export function createOverlayArgv(overlay: {
  readonly path: string;
  readonly base: string;
  readonly baseFormat: ImageFormat;
  readonly sizeBytes?: number | undefined;
}): Argv {
  const backing = ['-b', absolute(overlay.base), '-F', overlay.baseFormat];
  const size = overlay.sizeBytes === undefined ? [] : [String(overlay.sizeBytes)];
  return ['qemu-img', 'create', '-q', '-f', 'qcow2', ...backing, absolute(overlay.path), ...size];
}

/** Makes an empty image. The same holds as for an overlay. */
export function createImageArgv(image: {
  readonly path: string;
  readonly format: ImageFormat;
  readonly sizeBytes: number;
}): Argv {
  const { path, format, sizeBytes } = image;
  return ['qemu-img', 'create', '-q', '-f', format, absolute(path), String(sizeBytes)];
}

/**
 * Gives an image another base, or none (`newBase: null`: it then holds everything itself). Safe:
 * the content stays, and the clusters that differ are copied. `unsafe` only changes the header,
 * and with it the content unless the new base is a copy of the old: for repairing a path, never
 * without a base.
 */
export function rebaseArgv(
  image: { readonly path: string; readonly format: ImageFormat; readonly unsafe?: boolean } & (
    | { readonly newBase: string; readonly newBaseFormat: ImageFormat }
    | { readonly newBase: null }
  ),
): Argv {
  if (image.unsafe && image.newBase === null)
    throw refused('an unsafe rebase onto nothing loses all that the base holds', image.path);
  const mode = image.unsafe ? ['-u'] : [];
  const base =
    image.newBase === null
      ? ['-b', '']
      : ['-b', absolute(image.newBase), '-F', image.newBaseFormat];
  return ['qemu-img', 'rebase', '-q', '-f', image.format, ...mode, ...base, absolute(image.path)];
}

/**
 * Merges an image into `base`, which is written to from the first byte on, and which its header
 * or one below it must name by this very path. The image itself is not emptied (`-d`) but is stale
 * afterwards if there were images between the two.
 */
export function commitArgv(image: {
  readonly path: string;
  readonly format: ImageFormat;
  readonly base: string;
}): Argv {
  const { path, format, base } = image;
  return ['qemu-img', 'commit', '-q', '-f', format, '-d', '-b', absolute(base), absolute(path)];
}

/** One internal snapshot of an image that no process has open. */
export type InternalSnapshot = {
  readonly path: string;
  readonly format: ImageFormat;
  readonly tag: string;
};

/**
 * Takes an internal snapshot. Trap: qemu-img takes a second one with the same tag without a word
 * (7.2), and apply and delete then find the older one: look before.
 */
export function snapshotCreateArgv(snapshot: InternalSnapshot): Argv {
  return snapshotArgv('-c', snapshot);
}

/** Sets the image's content back to an internal snapshot; what it held is lost. */
export function snapshotApplyArgv(snapshot: InternalSnapshot): Argv {
  return snapshotArgv('-a', snapshot);
}

/** Deletes an internal snapshot; the image's content stays. */
export function snapshotDeleteArgv(snapshot: InternalSnapshot): Argv {
  return snapshotArgv('-d', snapshot);
}

/** Has an image's reference counts and their flags follow from its tables again. No content changes. */
export function repairArgv({ path, format }: Omit<InternalSnapshot, 'tag'>): Argv {
  return ['qemu-img', 'check', '-q', '-r', 'all', '-f', format, absolute(path)];
}

// `qemu-img snapshot` has no -f; --image-opts is its way to name the format.
function snapshotArgv(action: string, { path, format, tag }: InternalSnapshot): Argv {
  const image = `driver=${format},file.filename=${optionValue(absolute(path))}`;
  return ['qemu-img', 'snapshot', '-q', '--image-opts', action, safeTag(tag), image];
}

/**
 * Copies the content of an internal snapshot, or of the whole image, into a new qcow2. With `backing`, the file that backs
 * `from`, only what `from` holds itself is copied. `shared` reads although a QEMU has it open.
 */
export function convertSnapshotArgv(copy: {
  readonly from: string;
  readonly fromFormat: ImageFormat;
  readonly tag?: string | undefined;
  readonly to: string;
  readonly backing?: { readonly path: string; readonly format: ImageFormat } | undefined;
  readonly shared?: boolean | undefined;
}): Argv {
  const { backing } = copy;
  return [
    'qemu-img',
    'convert',
    '-q',
    ...(copy.shared ? ['-U'] : []),
    '-f',
    copy.fromFormat,
    ...(copy.tag === undefined ? [] : ['-l', `snapshot.name=${optionValue(safeTag(copy.tag))}`]),
    '-O',
    'qcow2',
    // convert's default is "unsafe": it would not sync.
    '-t',
    'writeback',
    ...(backing ? ['-B', absolute(backing.path), '-F', backing.format] : []),
    absolute(copy.from),
    absolute(copy.to),
  ];
}

/**
 * The path, if QEMU can only take it for a file: one that does not begin with "/" may be an option,
 * a protocol ("nbd:…") or options in JSON ("json:{…}"). Throws ToolError `refused`.
 */
export function absolute(path: string): string {
  if (!path.startsWith('/')) throw refused('not an absolute path', path);
  if (path.includes('\0')) throw refused('a path with a zero byte', path);
  return path;
}

/** A value within QEMU's option strings, where a comma ends the value unless it is doubled. */
export function optionValue(value: string): string {
  return value.replaceAll(',', ',,');
}

// qemu-img looks for a snapshot whose *id* is the given text before it looks at tags, when it
// applies one; ids are small numbers.
function safeTag(tag: string): string {
  if (tag === '' || /^\d+$/.test(tag)) throw refused('a tag must not be empty or a number', tag);
  return tag;
}

function refused(why: string, what: string): ToolError {
  return new ToolError('exec', 'refused', `${why}: ${JSON.stringify(what)}`, { what });
}
