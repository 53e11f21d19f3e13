import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  memoryFile,
  type Snapshot,
  type SnapshotDisk,
  type Volume,
} from '../../../src/catalog/model.ts';
import { type CounterRecord, layout, parseArea } from '../../../src/lab/counter-record.ts';
import { copyFromExt4 } from '../../../src/lab/ext4.ts';
import type { Lab } from '../../../src/lab/guest.ts';
import { sha256File } from '../../../src/tools/file-facts.ts';
import { imageFormat } from '../../../src/tools/image-format.ts';
import { type ImageInfo, imageInfo } from '../../../src/tools/qemu-img.ts';
import { run as exec } from '../../../src/tools/run.ts';
import { DOMAIN, tools, type World } from './harness.ts';

/** What a snapshot held, by device, and what its files looked like when that was read. */
export interface Proof {
  readonly contents: Readonly<Record<string, string>>;
  /** Where the workload's counter stood on each disk, and the boot that had written it. */
  readonly counters: Readonly<Record<string, CounterRecord>>;
  readonly files: string;
}

/** The disks that a snapshot holds. */
export const heldDisks = ({ disks }: Snapshot): readonly SnapshotDisk[] =>
  disks.filter(({ mode }) => mode !== 'none');

/**
 * The digest of all that a snapshot holds, disks and memory (I3). Where no file of it has been written
 * to since `before`, that stands; `fully`: it is read all the same.
 */
export async function prove(
  world: World,
  snapshot: Snapshot,
  before?: Proof,
  fully = false,
): Promise<Proof> {
  const files = await fingerprint(snapshot);
  if (before?.files === files && !fully) return before;
  const contents: Record<string, string> = {};
  const counters: Record<string, CounterRecord> = {};
  for (const disk of heldDisks(snapshot)) {
    // The counters are of the same bytes: they need no second look.
    const { sha256, counter } = await readDisk(world, disk, before?.counters[disk.device]);
    contents[disk.device] = sha256;
    counters[disk.device] = counter;
  }
  const { memory } = snapshot;
  // What was published is the yardstick; the file itself is read from then on.
  const file = memoryFile(memory);
  if (memory && file !== undefined) {
    contents.memory = before ? await sha256File(file, tools.log) : memory.sha256;
  }
  return { contents, counters, files };
}

/** Which files a snapshot stands on, and when each was written to last. */
async function fingerprint(snapshot: Snapshot): Promise<string> {
  const parts: string[] = [];
  for (const { image } of heldDisks(snapshot)) {
    for (const { path } of await chainOf(image)) parts.push(await looks(path));
  }
  const file = memoryFile(snapshot.memory);
  if (file !== undefined) parts.push(await looks(file));
  return parts.join('\n');
}

async function looks(path: string): Promise<string> {
  const { ino, size, mtimeNs } = await stat(path, { bigint: true });
  return `${path} ${ino} ${size} ${mtimeNs}`;
}

const headers = new Map<string, ImageInfo>();

/** An image and its bases by their headers, head first; a file that has not changed is not asked again. */
export async function chainOf(head: Volume): Promise<readonly Volume[]> {
  const chain: Volume[] = [];
  for (let next: Volume | null = head; next; ) {
    const key = await looks(next.path);
    const options = { ...tools, shared: true };
    const info: ImageInfo =
      headers.get(key) ?? (await imageInfo(next.path, imageFormat.parse(next.format), options));
    headers.set(key, info);
    chain.push(next);
    const { backing }: ImageInfo = info;
    if (backing && backing.format === null) throw new Error(`${next.path} leaves a format open`);
    next = backing && { path: backing.path, format: String(backing.format) };
  }
  return chain;
}

/** The digest of a disk's content, and the counter in it; without a guest, and never by a guessed format. */
export async function readDisk(
  { root, lab }: Pick<World, 'root' | 'lab'>,
  { device, image, tag }: Pick<SnapshotDisk, 'device' | 'image' | 'tag'>,
  known?: CounterRecord,
): Promise<{ sha256: string; counter: CounterRecord }> {
  const work = await mkdtemp(join(root, 'content-'));
  try {
    const raw = join(work, 'raw');
    const of = tag === undefined ? [] : ['-l', `snapshot.name=${tag}`];
    const formats = ['-f', image.format, '-O', 'raw'];
    await exec(['qemu-img', 'convert', '-U', ...of, ...formats, image.path, raw], {
      timeoutMs: 60_000,
      ...tools,
    });
    const counter = known ?? (await counterIn(lab, device, raw));
    return { sha256: await sha256File(raw, tools.log), counter };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function counterIn(lab: Lab, device: string, raw: string): Promise<CounterRecord> {
  const { content } = lab.disks.find(disk => disk.device === device)!;
  const area = `${raw}.area`;
  if (content === 'fs') await copyFromExt4(lab.kit, tools, raw, '/counter', area);
  const bytes = content === 'fs' ? readFile(area) : firstBytes(raw, layout.totalBytes);
  const { n, boot } = parseArea(await bytes);
  return { n, boot };
}

async function firstBytes(path: string, bytes: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const area = Buffer.alloc(bytes);
    await file.read(area, 0, bytes, 0);
    return area;
  } finally {
    await file.close();
  }
}

/** What the heads of a domain whose guest stands still hold. */
export async function headCounters(world: World): Promise<Record<string, CounterRecord>> {
  const { disks } = world.session.catalog.domain(DOMAIN)!;
  const found: Record<string, CounterRecord> = {};
  for (const { device, head } of disks) {
    found[device] = (await readDisk(world, { device, image: head })).counter;
  }
  return found;
}

/** What a usable snapshot held when it was published. */
export function countersOf(world: World, { name, operation }: Snapshot): Proof['counters'] {
  const proof = world.proofs.get(proofKey({ name, operation }));
  if (!proof) throw new Error(`${name} has not been proved`);
  return proof.counters;
}

/** A name may be used again once its snapshot is gone. */
export const proofKey = ({ name, operation }: Pick<Snapshot, 'name' | 'operation'>): string =>
  `${name} of ${operation}`;
