import type { Libvirt } from './libvirt.ts';
import { type LibvirtGuest, libvirtGuest, libvirtGuestGone } from './libvirt-guest.ts';
import type { Stillness } from './stillness.ts';
import { byVirsh, VIRSH_WAYS, type VirshSample, type VirshWay } from './virsh-rounds.ts';

/** virsh, as the third in a round, with a guest of its own. */
export interface Third {
  readonly libvirt: Libvirt;
  readonly guest: LibvirtGuest;
  gone(): Promise<void>;
}

/** Bring its guest up, and let it stand still until it is its turn. */
export async function thirdReady(
  libvirt: Libvirt,
  folder: string,
  memoryMb: number,
): Promise<Third> {
  const guest = await libvirtGuest(libvirt, folder, memoryMb).catch(async error => {
    await libvirtGuestGone(libvirt, folder);
    throw error;
  });
  await guest.watch.rest();
  const gone = async () => {
    guest.watch.close();
    await libvirtGuestGone(libvirt, folder);
  };
  return { libvirt, guest, gone };
}

/** What virsh took, by the way in which it was asked. */
export type VirshSamples = ReadonlyMap<VirshWay, VirshSample[]>;

export const noSamples = (): VirshSamples => new Map(VIRSH_WAYS.map(way => [way, []]));

/** Its turn in a round: the first guest stands still meanwhile, so that only one works at a time. */
export async function turnOf(
  { libvirt, guest }: Third,
  first: Stillness,
  samples: VirshSamples,
  counts: boolean,
): Promise<void> {
  await first.rest();
  await guest.watch.wake();
  for (const [way, found] of samples) {
    const sample = await byVirsh(libvirt, guest, way);
    if (counts) found.push(sample);
  }
  await guest.watch.rest();
  await first.wake();
}
