import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../tools/tool-error.ts';
import { closure, dependenciesOf, downloadAndUnpack } from './debian-packages.ts';
import { kernelMetaPackage, newestKernelPackage, takeKernel } from './kernel.ts';
import { guestModules } from './kernel-modules.ts';
import { LabError } from './lab-error.ts';
import type { LabTools } from './lab-tools.ts';
import { loaderOf, sharedLibraries } from './shared-libraries.ts';

/**
 * What guests are made of, in one folder of the cache (14 MB kernel, 9 MB programs, 10 MB initramfs):
 * `vmlinuz`, `modules/`, and `programs/`, in which `sbin/` and `lib/` lie as they do in the guest.
 */
export type Kit = { readonly folder: string; readonly programs: string };

/** What goes into the guest, and what only runs here on the guest's images. */
const guestPrograms = ['bin/busybox', 'usr/sbin/qemu-ga'];
const hostPrograms = ['sbin/mke2fs', 'sbin/debugfs'];
const programPackages = ['busybox-static', 'qemu-guest-agent', 'e2fsprogs'];

// To be raised when the folder's content changes, so that an older one is not taken for it.
const kitName = 'kit-1';

/** Where the lab keeps what it downloaded: DOMSNAP_LAB_CACHE, else `domsnap/lab` in the XDG cache. */
export function labCacheFolder(environment: NodeJS.ProcessEnv): string {
  const own = environment.DOMSNAP_LAB_CACHE;
  if (own) return own;
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'domsnap', 'lab');
}

/**
 * The kit of this cache; if there is none yet, makes it of Debian packages, which are downloaded (33
 * MB) and unpacked, never installed: 5 s. Works without root where apt has its lists.
 * Several processes may do so at once. Throws LabError.
 */
export async function labKit(cacheFolder: string, tools: LabTools): Promise<Kit> {
  const folder = await inCache(cacheFolder, kitName, work => makeKit(work, tools));
  return { folder, programs: join(folder, 'programs') };
}

/**
 * A folder of the cache by its name. If there is none yet, `make` gets an empty folder to work in, and
 * leaves there, in `kit`, what the folder is to hold.
 * Throws LabError on a host that no kit is made for, and what `make` throws.
 */
export async function inCache(
  cacheFolder: string,
  name: string,
  make: (work: string) => Promise<void>,
): Promise<string> {
  const folder = join(cacheFolder, name);
  if (existsSync(folder)) return folder;
  if (process.arch !== 'x64') throw new LabError('the lab guest is made for x86-64 hosts only');
  await mkdir(cacheFolder, { recursive: true, mode: 0o700 });
  // The loader tells libraries by their real paths.
  const work = await realpath(await mkdtemp(join(cacheFolder, 'making-')));
  try {
    await make(work);
    await rename(join(work, 'kit'), folder).catch(error => {
      // Another process was faster: its kit is as good as ours.
      if (!['ENOTEMPTY', 'EEXIST'].includes(errnoOf(error) ?? '')) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

async function makeKit(work: string, tools: LabTools): Promise<void> {
  const dependencies = await dependenciesOf(tools, [kernelMetaPackage, ...programPackages]);
  const kernel = newestKernelPackage(dependencies);
  const debs = join(work, 'debs');
  const unpacked = join(work, 'unpacked');
  const names = [kernel, ...closure(programPackages, dependencies)];
  const files = await downloadAndUnpack(tools, names, debs, unpacked);
  const kit = join(work, 'kit');
  await mkdir(join(kit, 'programs'), { recursive: true });
  await takeKernel(unpacked, kit, guestModules);
  await takePrograms(tools, unpacked, join(kit, 'programs'));
  await writeFile(join(kit, 'packages'), files.map(file => `${file}\n`).join(''));
}

/** Copies the programs to `sbin/` and all their libraries to `lib/`. */
async function takePrograms(tools: LabTools, unpacked: string, into: string): Promise<void> {
  const loader = loaderOf(unpacked);
  const libraries = new Set([loader]);
  const copies = new Map<string, string>();
  for (const program of [...guestPrograms, ...hostPrograms]) {
    const path = placeOf(unpacked, program);
    copies.set(join(unpacked, path), join(into, 'sbin', basename(program)));
    if (basename(program) === 'busybox') continue; // static
    for (const library of await sharedLibraries(tools, unpacked, path)) libraries.add(library);
  }
  for (const library of libraries) copies.set(library, join(into, 'lib', basename(library)));
  for (const [from, to] of copies) {
    await mkdir(dirname(to), { recursive: true });
    await copyFile(from, to);
    await chmod(to, 0o755);
  }
}

/** Since Debian 13 all programs lie under `usr`. */
function placeOf(unpacked: string, program: string): string {
  const found = [program, join('usr', program)].find(path => existsSync(join(unpacked, path)));
  if (found !== undefined) return found;
  throw new LabError(`no package of the lab guest's holds ${program}`);
}
