import { chmod, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { blankArea, layout } from './counter-record.ts';
import { makeExt4 } from './ext4.ts';
import type { Kit } from './kit.ts';
import { LabError } from './lab-error.ts';
import { type LabTools, runLabTool } from './lab-tools.ts';

/** A disk of the guest. Devices are vda, vdb and so on, in this order. */
export type LabDisk = {
  readonly device: string;
  /** As qemu-img knows it: qcow2, raw, vmdk, … */
  readonly format: string;
  /** Where the workload keeps its counter: in the file /counter, or at the start of the disk. */
  readonly content: 'fs' | 'raw';
  /** Default 64 MiB; at least 16 MiB for a file system, 2 MiB for a raw disk. */
  readonly sizeBytes?: number | undefined;
};

const defaultBytes = 64 * 1024 * 1024;
const leastFsBytes = 16 * 1024 * 1024;

/** Creates the image of a disk (mode 0600) with its counter at 0. Throws LabError, ToolError. */
export async function createLabDisk(
  kit: Kit,
  tools: LabTools,
  disk: LabDisk,
  image: string,
): Promise<void> {
  const sizeBytes = disk.sizeBytes ?? defaultBytes;
  const leastBytes = disk.content === 'fs' ? leastFsBytes : layout.totalBytes;
  if (sizeBytes < leastBytes)
    throw new LabError(`${disk.device} needs at least ${leastBytes} bytes, not ${sizeBytes}`);
  const work = await mkdtemp(join(dirname(image), 'making-'));
  try {
    const raw = join(work, 'raw');
    const handle = await open(raw, 'wx', 0o600);
    try {
      if (disk.content === 'raw') await handle.write(blankArea(), 0);
      await handle.truncate(sizeBytes);
    } finally {
      await handle.close();
    }
    if (disk.content === 'fs')
      await makeExt4(kit, tools, raw, { name: 'counter', data: blankArea() });
    if (disk.format === 'raw') {
      await rename(raw, image);
    } else {
      await runLabTool(tools, ['qemu-img', 'convert', '-f', 'raw', '-O', disk.format, raw, image]);
      await chmod(image, 0o600);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
