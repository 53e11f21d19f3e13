import { existsSync } from 'node:fs';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CounterArea, layout, parseArea } from './counter-record.ts';
import { copyFromExt4 } from './ext4.ts';
import type { Kit } from './kit.ts';
import { type LabTools, runLabTool } from './lab-tools.ts';

/** An image as a test reads it: never through a guess of its format. */
export type CounterImage = {
  readonly path: string;
  readonly format: string;
  readonly content: 'fs' | 'raw';
  /** The tag of an internal snapshot to be read instead of the present content. */
  readonly tag?: string | undefined;
};

/**
 * Reads the workload's counter from an image, with all its backing files, without a guest. Works
 * while a domain has it open too, but then what it sees may be torn.
 * Throws an Error if the content is broken or a mix of two times (see `parseArea`), ToolError.
 */
export async function readCounterFromImage(
  kit: Kit,
  tools: LabTools,
  image: CounterImage,
): Promise<CounterArea> {
  const work = await mkdtemp(join(tmpdir(), 'domsnap-counter-'));
  try {
    const raw = join(work, 'raw');
    // qemu-img's -U and -l: read although it is locked; of an internal snapshot.
    const from = image.tag === undefined ? ['-U'] : ['-U', '-l', `snapshot.name=${image.tag}`];
    const formats = ['-f', image.format, '-O', 'raw'];
    await runLabTool(tools, ['qemu-img', 'convert', ...from, ...formats, image.path, raw]);
    return parseArea(await areaOf(kit, tools, raw, image.content));
  } catch (cause) {
    const tag = image.tag === undefined ? '' : `, snapshot ${image.tag}`;
    throw new Error(`${image.path}${tag}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function areaOf(
  kit: Kit,
  tools: LabTools,
  raw: string,
  content: 'fs' | 'raw',
): Promise<Buffer> {
  if (content === 'fs') {
    const copy = `${raw}.counter`;
    await copyFromExt4(kit, tools, raw, '/counter', copy);
    if (!existsSync(copy)) throw new Error('no file system with a file /counter');
    return readFile(copy);
  }
  const handle = await open(raw);
  try {
    const area = Buffer.alloc(layout.totalBytes);
    await handle.read(area, 0, area.length, 0);
    return area;
  } finally {
    await handle.close();
  }
}
