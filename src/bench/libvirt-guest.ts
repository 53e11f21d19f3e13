import { rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Lab } from '../lab/guest.ts';
import { libvirtXml } from '../lab/libvirt-xml.ts';
import { ToolError } from '../tools/tool-error.ts';
import { benchSocket, DOMAIN, makeLab, settle } from './lab-guest.ts';
import type { Libvirt } from './libvirt.ts';
import { type Stillness, watchStillness } from './stillness.ts';

/** The same guest as domsnap's, under libvirt. */
export interface LibvirtGuest {
  readonly lab: Lab;
  readonly folder: string;
  readonly watch: Stillness;
}

/** Make, start and fill it. */
export async function libvirtGuest(
  { virsh }: Libvirt,
  folder: string,
  memoryMb: number,
): Promise<LibvirtGuest> {
  const lab = await makeLab(join(folder, 'lab'), memoryMb);
  const description = join(folder, 'domain.xml');
  await writeFile(description, benchXml(lab, memoryMb));
  await virsh('define', description);
  await virsh('start', DOMAIN);
  await settle(lab, memoryMb);
  return { lab, folder: lab.files.folder, watch: await watchStillness(benchSocket(lab)) };
}

/** End it and let libvirt forget it, whatever state it is in. */
export async function libvirtGuestGone({ virsh }: Libvirt, folder: string): Promise<void> {
  for (const args of [
    ['destroy', DOMAIN],
    ['undefine', DOMAIN, '--snapshots-metadata'],
  ]) {
    await virsh(...args).catch(error => {
      // It may never have come so far.
      if (!(error instanceof ToolError)) throw error;
    });
  }
  await rm(folder, { recursive: true, force: true });
}

/** The bench's guest under libvirt: as whoever runs the bench, with the monitor that it listens to. */
export const benchXml = (lab: Lab, memoryMb: number, agent = false): string =>
  libvirtXml(lab, { memoryMb, monitor: basename(benchSocket(lab)), agent, asMyself: true });
