import { z } from 'zod';
import { type ImageFormat, imageFormat } from './image-format.ts';
import { absolute } from './qemu-img-argv.ts';

export type { ImageOptions } from './qemu-img-ask.ts';

import { ask, bytes, type ImageOptions, limitsOf, parse, untrusted } from './qemu-img-ask.ts';
import { type Argv, run } from './run.ts';
import { mustNotDiffer } from './vhd/not-for-qemu.ts';

const snapshotSchema = z.object({
  id: z.string(),
  name: z.string(),
  'vm-state-size': bytes,
  'date-sec': z.number().int(),
});

const infoSchema = z.lazy(() =>
  z.object({
    filename: z.string(),
    format: z.string(),
    'virtual-size': bytes,
    'actual-size': bytes.optional(),
    'dirty-flag': z.boolean().optional(),
    encrypted: z.boolean().optional(),
    'backing-filename': z.string().optional(),
    'full-backing-filename': z.string().optional(),
    'backing-filename-format': z.string().optional(),
    snapshots: z.array(snapshotSchema).max(65_536).optional(),
    'format-specific': z
      .object({
        data: z.object({ corrupt: z.boolean().optional(), 'data-file': z.string().optional() }),
      })
      .optional(),
  }),
);

/** What one image's header says. */
export type ImageInfo = {
  readonly path: string;
  readonly format: ImageFormat;
  readonly virtualSizeBytes: number;
  /** What it occupies on the host; null where the host cannot tell. */
  readonly allocatedBytes: number | null;
  /** `written` is the text in the header, `path` what it means; a null format: the header has none */
  readonly backing: {
    readonly path: string;
    readonly written: string;
    readonly format: ImageFormat | null;
  } | null;
  readonly snapshots: readonly {
    readonly id: string;
    readonly tag: string;
    readonly vmStateBytes: number;
    readonly takenAtSeconds: number;
  }[];
  /** Not closed properly by its last writer. */
  readonly dirty: boolean;
  readonly corrupt: boolean;
  readonly encrypted: boolean;
  /** The other file that holds the data, if the format was told to use one. */
  readonly dataFile: string | null;
};

const infoTimeoutMs = 30_000;
const checkTimeoutMs = 10 * 60_000;

/**
 * What the header of one image says; nothing below it is opened.
 * Throws ToolError: `failed` (not such an image, locked by another), `protocol`, `missing` (qemu-img),
 * `timeout`, `aborted`.
 */
export async function imageInfo(
  path: string,
  format: ImageFormat,
  options: ImageOptions,
): Promise<ImageInfo> {
  if (format === 'vpc') await mustNotDiffer(path);
  const shared = options.shared ? ['-U'] : [];
  const argv = [
    'qemu-img',
    'info',
    '--output=json',
    '-f',
    format,
    ...shared,
    absolute(path),
  ] as const;
  const info = await ask(infoSchema, argv, options, infoTimeoutMs);
  const written = info['backing-filename'];
  const { data } = info['format-specific'] ?? {};
  return {
    path,
    format,
    virtualSizeBytes: info['virtual-size'],
    allocatedBytes: info['actual-size'] ?? null,
    backing:
      written === undefined
        ? null
        : {
            path: info['full-backing-filename'] ?? written,
            written,
            format: knownFormat(path, info['backing-filename-format']),
          },
    snapshots: (info.snapshots ?? []).map(snapshot => ({
      id: snapshot.id,
      tag: snapshot.name,
      vmStateBytes: snapshot['vm-state-size'],
      takenAtSeconds: snapshot['date-sec'],
    })),
    dirty: info['dirty-flag'] ?? false,
    corrupt: data?.corrupt ?? false,
    encrypted: info.encrypted ?? false,
    dataFile: data?.['data-file'] ?? null,
  };
}

function knownFormat(path: string, format: string | undefined): ImageFormat | null {
  if (format === undefined) return null;
  const known = imageFormat.safeParse(format);
  if (known.success) return known.data;
  throw untrusted(path, `names a backing format that domsnap does not know: ${format}`);
}

const checkSchema = z.lazy(() =>
  z.object({
    'check-errors': bytes,
    corruptions: bytes.default(0),
    leaks: bytes.default(0),
  }),
);

/** What `qemu-img check` found. Leaked clusters waste space and harm nothing. */
export type ImageCheck =
  | { readonly supported: false }
  | {
      readonly supported: true;
      readonly corruptions: number;
      readonly leaks: number;
      readonly checkErrors: number;
    };

/** Checks an image's metadata without repairing. Throws ToolError as `imageInfo`. */
export async function imageCheck(
  path: string,
  format: ImageFormat,
  options: ImageOptions,
): Promise<ImageCheck> {
  if (format === 'vpc') await mustNotDiffer(path);
  const shared = options.shared ? ['-U'] : [];
  const argv: Argv = [
    'qemu-img',
    'check',
    '--output=json',
    '-f',
    format,
    ...shared,
    absolute(path),
  ];
  // 1: could not be completed, 2: corrupt, 3: leaks, 63: the format has no check (qemu-img(1)).
  const { stdout, exitCode } = await run(argv, {
    ...limitsOf(options, checkTimeoutMs),
    okExits: [0, 2, 3, 63],
  });
  if (exitCode === 63) return { supported: false };
  const found = parse(checkSchema, argv, stdout);
  return {
    supported: true,
    corruptions: found.corruptions,
    leaks: found.leaks,
    checkErrors: found['check-errors'],
  };
}

const mapSchema = z.lazy(() =>
  z.array(z.object({ length: bytes, depth: bytes, data: z.boolean() })),
);

/**
 * How many bytes of data an image holds itself, without those below it (which are not opened): what
 * a merge of it would copy. Throws ToolError as `imageInfo`.
 */
export async function dataBytes(
  path: string,
  format: ImageFormat,
  options: ImageOptions,
): Promise<number> {
  if (format === 'vpc') await mustNotDiffer(path);
  // Only options in JSON can say "no backing file", whatever the header says.
  const backing = format === 'raw' ? {} : { backing: null };
  const image = { driver: format, ...backing, file: { filename: absolute(path) } };
  const shared = options.shared ? ['-U'] : [];
  const json = `json:${JSON.stringify(image)}`;
  const argv: Argv = ['qemu-img', 'map', '--output=json', ...shared, json];
  const limits = { ...options, maxOutputBytes: 64 * 1024 * 1024 };
  const extents = await ask(mapSchema, argv, limits, infoTimeoutMs);
  return extents.reduce((sum, extent) => sum + (extent.data ? extent.length : 0), 0);
}
