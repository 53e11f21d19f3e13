import { type Keeper, type World, worldDown, worldUp } from '../lab/cases/harness.ts';
import { emptyTrash, mayMount } from '../lab/cases/saboteurs.ts';
import type { Storage } from '../lab/cases/storages.ts';
import type { TestLibvirtd } from '../libvirt/daemon.ts';
import { libvirtKeeper } from '../libvirt/keeper.ts';
import { type TightDisk, tightDisk } from './tight-disk.ts';

/** A lab guest whose images and whose journal lie on file systems of their own, where that can be had. */
export interface CampaignWorld extends World {
  /** Null without the right to mount. */
  readonly disks: { readonly images: TightDisk; readonly home: TightDisk } | null;
  /** Null where domsnap itself looks after QEMU. */
  readonly libvirtd: TestLibvirtd | null;
}

/** Room for some memory files of a guest of 128 MB, and for a merge beside them. */
const IMAGES_MIB = 3_072;
const HOME_MIB = 256;

export const isRoot = mayMount();

/** Make one, and wait until its guest ticks. */
export async function campaignWorldUp(
  storage: Storage,
  toolstack: Keeper['name'],
): Promise<CampaignWorld> {
  let libvirtd: TestLibvirtd | null = null;
  const keeper = async (root: string) => {
    const made = await libvirtKeeper(root);
    libvirtd = made.daemon;
    return made;
  };
  const kept = toolstack === 'libvirt' ? { keeper } : {};
  if (!isRoot) return Object.assign(await worldUp(storage, kept), { disks: null, libvirtd });
  const disks = { images: tightDisk(IMAGES_MIB), home: tightDisk(HOME_MIB) };
  try {
    const folders = { imageFolder: disks.images.folder, home: disks.home.folder };
    const world = await worldUp(storage, { ...folders, ...kept });
    return Object.assign(world, { disks, libvirtd });
  } catch (error) {
    unmount(disks);
    throw error;
  }
}

/** Remove it, and all that it has mounted. */
export async function campaignWorldDown(world: CampaignWorld | undefined): Promise<void> {
  await worldDown(world);
  if (world?.disks) unmount(world.disks);
}

/** Trash is what has been deleted: it takes memory here, and tells nothing once it has been judged. */
export function takeOutTrash({ disks }: CampaignWorld): void {
  if (disks) emptyTrash(disks.images.folder);
}

function unmount({ images, home }: NonNullable<CampaignWorld['disks']>): void {
  images.unmount();
  home.unmount();
}
