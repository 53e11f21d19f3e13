import { readFile, realpath } from 'node:fs/promises';
import type { LiveDisk } from '../port.ts';
import type { Description } from './domain-xml.ts';

/** Where libvirt writes what the profile of each running guest holds besides that of every guest. */
const PROFILES = '/etc/apparmor.d/libvirt';

/**
 * The images that AppArmor lets a domain's QEMU only read. Before 12.1 libvirt forbids it to write to all that
 * were bases when the domain was started, and what it allows later for a merge does not undo that (measured
 * on 9.0: blockcommit into such an image, "Permission denied"). A profile that cannot be read may forbid
 * all that a new one would.
 */
export async function sealedImages(
  { hasProfile, uuid }: Pick<Description, 'hasProfile' | 'uuid'>,
  disks: readonly LiveDisk[],
  profiles: string = PROFILES,
): Promise<string[]> {
  if (!hasProfile) return [];
  const bases = disks.flatMap(({ chain }) => chain.slice(1).map(({ path }) => path));
  const rules = await readFile(`${profiles}/libvirt-${uuid}.files`, 'utf8').catch(() => null);
  if (rules === null) return bases;
  const denied = new Set([...rules.matchAll(DENIED)].map(([, path]) => path));
  const real = await Promise.all(bases.map(path => realpath(path).catch(() => path)));
  return bases.filter((_, index) => denied.has(real[index]));
}

const DENIED = /^\s*deny "([^"]+)" w,/gm;
