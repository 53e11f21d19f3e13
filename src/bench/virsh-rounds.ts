import { statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ToolError } from '../tools/tool-error.ts';
import { DOMAIN } from './lab-guest.ts';
import type { Libvirt } from './libvirt.ts';
import type { LibvirtGuest } from './libvirt-guest.ts';

/** The ways in which virsh takes an external snapshot. */
export const VIRSH_WAYS = ['not live', 'live', 'disk-only'] as const;
export type VirshWay = (typeof VIRSH_WAYS)[number];

/** One snapshot by virsh, and its delete. */
export interface VirshSample {
  readonly pauseMs: number;
  readonly wallMs: number;
  readonly memoryBytes: number | null;
  /** null: virsh refuses to delete it. */
  readonly deleteMs: number | null;
  readonly refusal: string | null;
}

const SETTLE_MS = 150;
let taken = 0;

/** `virsh snapshot-create-as`, then `snapshot-delete`; the guest is left as it was. */
export async function byVirsh(
  libvirt: Libvirt,
  { folder, watch }: LibvirtGuest,
  way: VirshWay,
): Promise<VirshSample> {
  taken += 1;
  const name = `v${taken}`;
  const memory = join(folder, `${name}.memory`);
  const overlays = ['vda', 'vdb'].map(device => ({
    device,
    path: join(folder, `${device}.${name}`),
  }));
  const args = [
    ...['snapshot-create-as', DOMAIN, name, '--atomic'],
    ...(way === 'disk-only' ? ['--disk-only'] : ['--memspec', `file=${memory},snapshot=external`]),
    ...(way === 'live' ? ['--live'] : []),
    ...overlays.flatMap(({ device, path }) => [
      '--diskspec',
      `${device},snapshot=external,file=${path}`,
    ]),
  ];
  await sleep(SETTLE_MS);
  const { value: wallMs, pause } = await watch.within(() => timed(() => libvirt.virsh(...args)));
  const memoryBytes = way === 'disk-only' ? null : statSync(memory).size;
  const { deleteMs, refusal } = await removed(libvirt, name);
  for (const path of [memory, ...overlays.map(one => one.path)]) await rm(path, { force: true });
  return { pauseMs: pause.totalMs, wallMs, memoryBytes, deleteMs, refusal };
}

async function removed(
  { virsh }: Libvirt,
  name: string,
): Promise<Pick<VirshSample, 'deleteMs' | 'refusal'>> {
  try {
    const deleteMs = await timed(() => virsh('snapshot-delete', DOMAIN, name));
    return { deleteMs, refusal: null };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    // Then by hand, as its users must.
    for (const device of ['vda', 'vdb']) {
      await virsh('blockcommit', DOMAIN, device, '--active', '--pivot', '--wait');
    }
    await virsh('snapshot-delete', DOMAIN, name, '--metadata');
    return { deleteMs: null, refusal: error.message };
  }
}

async function timed(body: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await body();
  return performance.now() - startedMs;
}
