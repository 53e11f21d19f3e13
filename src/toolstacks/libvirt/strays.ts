import { setTimeout as sleep } from 'node:timers/promises';
import type { CallContext, LiveDisk, Merge } from '../port.ts';
import { type BlockView, liveDisksOf } from '../qemu/graph.ts';
import { allJobs } from '../qemu/jobs.ts';
import { viewBlocks } from '../qemu/life.ts';
import { same } from '../qemu/overlays.ts';
import type { LibvirtLife } from './life.ts';

// A libvirtd that dies between QEMU's taking an overlay and writing that down comes back with the old head
// in its mind, for good: it refuses every job on the new one, and its next snapshot fails, since QEMU has
// nodes of the names that it gives (measured on 9.0). QEMU's own jobs can take such a head back.

/** The chains by QEMU's word; a head that libvirt has not heard of is marked. */
export async function liveDisks(
  life: LibvirtLife,
  { signal }: Pick<CallContext, 'signal'>,
): Promise<LiveDisk[]> {
  const view = await viewBlocks(life, signal);
  const strays = await strayedDevices(life, view);
  return liveDisksOf(view).map(disk =>
    strays.includes(disk.device) ? { ...disk, strayed: true } : disk,
  );
}

/** Whether merges are about heads that strayed, or are under way for that. */
export async function areStrays(life: LibvirtLife, merges: readonly Merge[]): Promise<boolean> {
  if (await areOfQemu(life, merges)) return true;
  const strays = await strayedDevices(life, await viewBlocks(life));
  return merges.some(({ device }) => strays.includes(device));
}

/** Whether QEMU itself has jobs by the names that domsnap gives: libvirt gives its own. */
export async function areOfQemu(life: LibvirtLife, merges: readonly Merge[]): Promise<boolean> {
  const all = await allJobs(life);
  return merges.some(({ job }) => all.some(({ id }) => id === job));
}

const TRIES = 5;
const AGAIN_MS = 200;

/** Disks whose head libvirt does not know. A daemon that has just come back may still learn of it. */
async function strayedDevices(
  { libvirt }: LibvirtLife,
  { chains }: BlockView,
): Promise<readonly string[]> {
  for (let left = TRIES; ; left -= 1) {
    const { disks } = await libvirt.describe('now');
    const strays = disks.filter(({ device, volume }) => {
      const head = chains[device]?.[0]?.volume.path;
      return head !== undefined && !same(head, volume.path);
    });
    if (strays.length === 0 || left <= 1) return strays.map(({ device }) => device);
    await sleep(AGAIN_MS);
  }
}
