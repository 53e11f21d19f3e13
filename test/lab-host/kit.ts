import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dependenciesOf, downloadAndUnpack } from '../../src/lab/debian-packages.ts';
import { newestKernelPackage, takeKernel } from '../../src/lab/kernel.ts';
import { inCache } from '../../src/lab/kit.ts';
import { uncompressKernel } from './uncompressed-kernel.ts';

/**
 * What a lab host boots, in one folder of the cache (75 MB): `vmlinux`, `modules/NN-NAME.ko` in the
 * order in which they are loaded, and `busybox`.
 */
export type HostKit = { readonly folder: string };

// The kernel for virtual machines has no 9p.
const kernelPackages = 'linux-image-amd64';

/** The machine's root and its copy-on-write, disks, what LVM asks of the kernel, and a file system. */
const modules = [
  ...['virtio_pci', 'virtio_blk', '9pnet_virtio', '9p', 'overlay'],
  // Thin pools and ext4 ask for a checksum by its algorithm's name, which no `depends=` shows.
  ...['crc32c_generic', 'dm_mod', 'dm_snapshot', 'dm_thin_pool', 'loop', 'ext4'],
];

// To be raised when the folder's content changes, so that an older one is not taken for it.
const kitName = 'lab-host-3';

const tools = { log: () => {} };

/**
 * The lab host's kit of this cache; if there is none yet, makes it of Debian packages, which are
 * downloaded (70 MB) and unpacked, never installed: 12 s. Throws LabError, ToolError.
 */
export async function hostKit(cacheFolder: string): Promise<HostKit> {
  const folder = await inCache(cacheFolder, kitName, async work => {
    const unpacked = join(work, 'unpacked');
    const kernel = newestKernelPackage(
      await dependenciesOf(tools, [kernelPackages]),
      kernelPackages,
    );
    await downloadAndUnpack(tools, [kernel, 'busybox-static'], join(work, 'debs'), unpacked);
    const kit = join(work, 'kit');
    await mkdir(kit);
    await takeKernel(unpacked, kit, modules);
    const busybox = await readFile(join(unpacked, 'bin/busybox')).catch(() =>
      readFile(join(unpacked, 'usr/bin/busybox')),
    );
    await writeFile(join(kit, 'busybox'), busybox, { mode: 0o755 });
    const compressed = join(kit, 'vmlinuz');
    await uncompressKernel(compressed, join(kit, 'vmlinux'));
    await rm(compressed);
  });
  return { folder };
}
