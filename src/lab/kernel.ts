import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dependencies } from './debian-packages.ts';
import { findModules, guestModules } from './kernel-modules.ts';
import { LabError } from './lab-error.ts';

/** Debian's package that depends on the newest kernel for virtual machines. */
export const kernelMetaPackage = 'linux-image-cloud-amd64';

/** The package of the newest cloud kernel. Throws LabError if the meta package names none. */
export function newestKernelPackage(dependencies: Dependencies): string {
  const found = (dependencies.get(kernelMetaPackage) ?? []).find(name =>
    /^linux-image-\d/.test(name),
  );
  if (found !== undefined) return found;
  throw new LabError(`apt knows no kernel behind ${kernelMetaPackage}; only amd64 has one`);
}

/**
 * Takes out of an unpacked kernel package what the guest needs: `vmlinuz`, and `modules/NN-NAME.ko`,
 * numbered in load order. The rest (80 MB) is left behind.
 */
export async function takeKernel(unpacked: string, into: string): Promise<void> {
  const image = (await readdir(join(unpacked, 'boot'))).find(name => name.startsWith('vmlinuz-'));
  if (image === undefined) throw new LabError(`no kernel in the package unpacked at ${unpacked}`);
  await copyFile(join(unpacked, 'boot', image), join(into, 'vmlinuz'));
  const libModules = ['lib', 'usr/lib'].map(place => join(unpacked, place, 'modules'));
  const [version] = (await Promise.all(libModules.map(listOrNothing))).flat();
  if (version === undefined)
    throw new LabError(`no modules in the package unpacked at ${unpacked}`);
  await mkdir(join(into, 'modules'));
  const modules = await findModules(version, guestModules);
  for (const [index, { name, image }] of modules.entries())
    await writeFile(join(into, 'modules', `${String(index + 10)}-${name}.ko`), image);
}

async function listOrNothing(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).map(name => join(folder, name));
  } catch {
    return [];
  }
}
