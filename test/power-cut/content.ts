import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Snapshot, SnapshotDisk } from '../../src/catalog/model.ts';
import { run } from '../../src/tools/run.ts';
import { counterInMemory, counterOnDisk, GUEST_AREA_BYTES } from '../counting-guest.ts';
import { tools } from './tools.ts';

/** What an image holds, through all its bases, or what a tag in it holds. */
export interface DiskContent {
  readonly sha256: string;
  /** Of all that the guest does not write. */
  readonly pattern: string;
  readonly counter: number;
}

/** What a snapshot holds. */
export interface SnapshotContent {
  readonly disks: Readonly<Record<string, DiskContent>>;
  readonly memory: { readonly sha256: string; readonly counter: number } | null;
}

/** The patterns of a snapshot or of the heads, to be compared as one text. */
export const patternsOf = (disks: SnapshotContent['disks']): string =>
  Object.entries(disks)
    .map(([device, { pattern }]) => `${device} ${pattern.slice(0, 16)}`)
    .join(' ');

/** Read all that a snapshot holds. Throws where something of it cannot be read, or is torn. */
export async function readSnapshot(snapshot: Snapshot): Promise<SnapshotContent> {
  const held = snapshot.disks.filter(({ mode }) => mode !== 'none');
  const { memory } = snapshot;
  if (memory === null) return { disks: await readDisks(held), memory: null };
  const file = readFileSync(memory.path);
  if (sha256(file) !== memory.sha256) throw new Error(`${memory.path} is not what was published`);
  const counter = counterInMemory(file);
  return { disks: await readDisks(held), memory: { sha256: memory.sha256, counter } };
}

/** Read disks, by device. */
export async function readDisks(
  disks: readonly Pick<SnapshotDisk, 'device' | 'image' | 'tag'>[],
): Promise<SnapshotContent['disks']> {
  const found: Record<string, DiskContent> = {};
  for (const disk of disks) found[disk.device] = await readDisk(disk);
  return found;
}

async function readDisk({ image, tag }: Pick<SnapshotDisk, 'image' | 'tag'>): Promise<DiskContent> {
  const raw = `${image.path}.content`;
  if (existsSync(raw)) throw new Error(`${raw} is in the way`);
  try {
    const of = tag === undefined ? [] : ['-l', `snapshot.name=${tag}`];
    const formats = ['-f', image.format, '-O', 'raw'];
    const argv = ['qemu-img', 'convert', ...of, ...formats, image.path, raw] as const;
    await run(argv, { timeoutMs: 60_000, ...tools });
    const content = readFileSync(raw);
    return {
      sha256: sha256(content),
      pattern: sha256(content.subarray(GUEST_AREA_BYTES)),
      counter: counterOnDisk(content),
    };
  } finally {
    await rm(raw, { force: true });
  }
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
