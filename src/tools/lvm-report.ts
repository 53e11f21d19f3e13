import { z } from 'zod';
import type { CallSink } from './call-log.ts';
import { run } from './run.ts';
import { ToolError } from './tool-error.ts';

/** A logical volume as `lvs` reports it; sizes in bytes, shares of fullness in percent. */
export interface LogicalVolume {
  readonly vg: string;
  /** Without the brackets that mark a volume which LVM keeps for itself. */
  readonly name: string;
  readonly uuid: string;
  /** `linear`, `thin`, `thin-pool`, … */
  readonly segment: string;
  /** Of a classic snapshot the room for what changes. */
  readonly sizeBytes: number;
  /** What a snapshot was taken of; null where that is gone, and for volumes that are none. */
  readonly origin: string | null;
  readonly pool: string | null;
  readonly dataPercent: number | null;
  readonly metadataPercent: number | null;
  readonly tags: readonly string[];
  /** Its content is being put, or waits to be put, in its origin's place. */
  readonly merging: boolean;
  readonly mergeFailed: boolean;
  /** A classic snapshot that ran full: its content is lost. */
  readonly invalid: boolean;
  readonly active: boolean;
  readonly open: boolean;
  readonly suspended: boolean;
  readonly group: VolumeGroup;
}

/** What is to be known of the volume group. */
export interface VolumeGroup {
  readonly freeBytes: number;
  readonly extentBytes: number;
  /** Several hosts use it at once. */
  readonly shared: boolean;
}

const bytes = z.string().regex(/^\d+$/).transform(Number);
const percent = z.string().transform(text => (text === '' ? null : Number(text)));
const flag = z.string().transform(text => text === '1');
const nullable = z.string().transform(text => unbracketed(text) || null);

const row = z.lazy(() =>
  z.object({
    vg_name: z.string(),
    lv_name: z.string(),
    lv_uuid: z.string(),
    segtype: z.string(),
    lv_size: bytes,
    origin: nullable,
    pool_lv: nullable,
    data_percent: percent,
    metadata_percent: percent,
    lv_tags: z.string(),
    lv_merging: flag,
    lv_merge_failed: flag,
    lv_snapshot_invalid: flag,
    lv_active: z.string(),
    lv_device_open: flag,
    lv_suspended: flag,
    vg_free: bytes,
    vg_extent_size: bytes,
    vg_clustered: flag,
    vg_shared: flag,
  }),
);

const report = z.lazy(() => z.object({ report: z.array(z.object({ lv: z.array(row) })) }));

const FIELDS = [
  'vg_name,lv_name,lv_uuid,segtype,lv_size,origin,pool_lv,data_percent,metadata_percent,lv_tags',
  'lv_merging,lv_merge_failed,lv_snapshot_invalid,lv_active,lv_device_open,lv_suspended',
  'vg_free,vg_extent_size,vg_clustered,vg_shared',
].join(',');

const TIMEOUT_MS = 60_000;

/** What a call to LVM needs. */
export interface LvmCall {
  readonly log: CallSink;
  readonly signal?: AbortSignal | undefined;
}

/**
 * All logical volumes of a group, those that LVM keeps for itself included (lvs(8), lvmreport(7)).
 * Throws ToolError `missing` (no lvm2), `failed` (no such group among others), `protocol`.
 */
export async function volumesOf(vg: string, { log, signal }: LvmCall): Promise<LogicalVolume[]> {
  const how = ['--reportformat', 'json', '--units', 'b', '--nosuffix', '--binary'] as const;
  const { stdout } = await run(['lvs', '-a', ...how, '-o', FIELDS, vg], {
    timeoutMs: TIMEOUT_MS,
    log,
    signal,
  });
  return parseReport(stdout);
}

/** Read what `lvs` printed. A volume of several segments has a row for each: the first will do. */
export function parseReport(stdout: string): LogicalVolume[] {
  const found = new Map<string, LogicalVolume>();
  for (const one of rowsOf(stdout)) {
    const name = unbracketed(one.lv_name);
    if (found.has(name)) continue;
    found.set(name, {
      vg: one.vg_name,
      name,
      uuid: one.lv_uuid,
      segment: one.segtype,
      sizeBytes: one.lv_size,
      origin: one.origin,
      pool: one.pool_lv,
      dataPercent: one.data_percent,
      metadataPercent: one.metadata_percent,
      tags: one.lv_tags === '' ? [] : one.lv_tags.split(','),
      merging: one.lv_merging,
      mergeFailed: one.lv_merge_failed,
      invalid: one.lv_snapshot_invalid,
      active: one.lv_active !== '' && one.lv_active !== '0',
      open: one.lv_device_open,
      suspended: one.lv_suspended,
      group: {
        freeBytes: one.vg_free,
        extentBytes: one.vg_extent_size,
        shared: one.vg_clustered || one.vg_shared,
      },
    });
  }
  return [...found.values()];
}

function rowsOf(stdout: string): z.infer<typeof row>[] {
  let json: unknown;
  try {
    json = JSON.parse(stdout);
  } catch (cause) {
    throw new ToolError('exec', 'protocol', 'lvs did not print JSON', {}, cause);
  }
  const parsed = report.safeParse(json);
  if (parsed.success) return parsed.data.report.flatMap(({ lv }) => lv);
  throw new ToolError(
    'exec',
    'protocol',
    `lvs printed what it does not promise: ${parsed.error.message}`,
  );
}

const unbracketed = (name: string): string => name.replace(/^\[(.*)\]$/, '$1');
