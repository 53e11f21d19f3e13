import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dependencies } from './debian-packages.ts';
import { findModules } from './kernel-modules.ts';
import { LabError } from './lab-error.ts';

/** Debian's package that depends on the newest kernel for virtual machines. */
export const kernelMetaPackage = 'linux-image-cloud-amd64';

/** The kernel's package behind a meta package. Throws LabError if that names none. */
export function newestKernelPackage(
  dependencies: Dependencies,
  metaPackage: string = kernelMetaPackage,
): string {
  const found = (dependencies.get(metaPackage) ?? []).find(name => /^linux-image-\d/.test(name));
  if (found !== undefined) return found;
  throw new LabError(`apt knows no kernel behind ${metaPackage}; only amd64 has one`);
}

/**
 * Takes out of an unpacked kernel package what a guest needs: `vmlinuz`, and `modules/NN-NAME.ko` of
 * these modules and those they need, numbered in load order. The rest (80 MB, of the ordinary kernel
 * 400 MB) is left behind.
 */
export async function takeKernel(
  unpacked: string,
  into: string,
  names: readonly string[],
): Promise<void> {
  const image = (await readdir(join(unpacked, 'boot'))).find(name => name.startsWith('vmlinuz-'));
  if (image === undefined) throw new LabError(`no kernel in the package unpacked at ${unpacked}`);
  await copyFile(join(unpacked, 'boot', image), join(into, 'vmlinuz'));
  const libModules = ['lib', 'usr/lib'].map(place => join(unpacked, place, 'modules'));
  const [version] = (await Promise.all(libModules.map(listOrNothing))).flat();
  if (version === undefined)
    throw new LabError(`no modules in the package unpacked at ${unpacked}`);
  await mkdir(join(into, 'modules'));
  const modules = await findModules(version, names);
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
