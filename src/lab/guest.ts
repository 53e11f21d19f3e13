import { existsSync } from 'node:fs';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { labInitramfs } from './initramfs.ts';
import { type Kit, labCacheFolder, labKit } from './kit.ts';
import { labArguments } from './lab-arguments.ts';
import { createLabDisk, type LabDisk } from './lab-disk.ts';
import { LabError } from './lab-error.ts';
import { type LabFiles, labFiles } from './lab-files.ts';
import type { LabTools } from './lab-tools.ts';

export type LabOptions = {
  /** Made if it is not there; mode 0700. */
  readonly folder: string;
  /** Name of the domain, default `lab`. */
  readonly name?: string | undefined;
  readonly memoryMb?: number | undefined;
  /** Default: a qcow2 disk with a file system, and a raw disk. */
  readonly disks?: readonly LabDisk[] | undefined;
  /** Default tcg: it works everywhere. */
  readonly accel?: 'tcg' | 'kvm' | undefined;
  /** Pause between two ticks of the workload; default 100. A tick itself takes 15 ms a disk. */
  readonly intervalMs?: number | undefined;
  /** Where the kit is kept; default: see `labCacheFolder`. */
  readonly cacheFolder?: string | undefined;
};

/** A lab that is ready to be added and started as a domain. */
export type Lab = {
  readonly files: LabFiles;
  readonly kit: Kit;
  readonly disks: readonly LabDisk[];
};

const defaultDisks: readonly LabDisk[] = [
  { device: 'vda', format: 'qcow2', content: 'fs' },
  { device: 'vdb', format: 'raw', content: 'raw' },
];

// sockaddr_un holds 108 bytes with the NUL (unix(7)).
const longestSocketPath = 107;

/** Throws LabError where the folder has a lab already. */
export function refuseSecondLab(folder: string): void {
  if (existsSync(labFiles(resolve(folder)).domainFile))
    throw new LabError(`there is a lab in ${folder} already: 'domsnap lab down' ends it`);
}

/**
 * Makes the guest's disks and its domain file, which `domsnap domain add` takes; starts nothing. The
 * first time on a host it downloads what the guest is made of (see `labKit`): 5 s, later 0.2 s.
 *
 * Measured under TCG on two cores, from QEMU's start: the first tick after 3.2 to 5.8 s (kernel up
 * after 2 s, drivers 0.7 s, the rest SeaBIOS and loading), the agent's first answer 0.3 s later. A
 * tick takes 15 ms a disk, and every eighth twice that. Memory fills with 30 MB/s.
 * Throws LabError (there is a lab already, a path is too long, apt has nothing), ToolError.
 */
export async function labUp(options: LabOptions, tools: LabTools): Promise<Lab> {
  const files = labFiles(resolve(options.folder));
  const disks = options.disks ?? defaultDisks;
  refuseSecondLab(files.folder);
  const tooLong = [files.serialSocket, files.agentSocket, files.monitorSocket].find(
    path => Buffer.byteLength(path) > longestSocketPath,
  );
  if (tooLong !== undefined)
    throw new LabError(`${tooLong} is too long for a socket: choose a shorter folder`);
  checkDevices(disks);
  const kit = await labKit(options.cacheFolder ?? labCacheFolder(process.env), tools);
  const initramfs = await labInitramfs(kit);
  await mkdir(files.folder, { recursive: true, mode: 0o700 });
  await chmod(files.folder, 0o700);
  for (const disk of disks) {
    const image = join(files.folder, imageName(disk));
    await rm(image, { force: true });
    await createLabDisk(kit, tools, disk, image);
  }
  const domain = {
    name: options.name ?? 'lab',
    binary: 'qemu-system-x86_64',
    arguments: labArguments({
      kernel: join(kit.folder, 'vmlinuz'),
      initramfs,
      memoryMb: options.memoryMb ?? 256,
      accel: options.accel ?? 'tcg',
      disks,
      intervalMs: options.intervalMs ?? 100,
      consoleLog: files.consoleLog,
      serialSocket: files.serialSocket,
    }),
    disks: disks.map(disk => ({
      device: disk.device,
      path: `./${imageName(disk)}`,
      format: disk.format,
      attach: 'virtio-blk-pci',
    })),
    monitor: './qmp.sock',
    agent: './agent.sock',
  };
  // Written last: with it, the lab is there.
  await writeFile(files.domainFile, stringify(domain), { mode: 0o600 });
  return { files, kit, disks };
}

/** The guest's kernel names disks by itself, in the order in which they are attached. */
function checkDevices(disks: readonly LabDisk[]): void {
  if (disks.length === 0) throw new LabError('the lab guest needs a disk');
  disks.forEach(({ device }, index) => {
    const name = `vd${String.fromCharCode('a'.charCodeAt(0) + index)}`;
    if (device !== name)
      throw new LabError(`disk ${index + 1} of the lab is ${name}, not ${device}`);
  });
}

const imageName = ({ device, format }: LabDisk) => `${device}.${format}`;
