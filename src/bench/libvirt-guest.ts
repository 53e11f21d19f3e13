import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Lab } from '../lab/guest.ts';
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

const labFile = z.object({
  arguments: z.array(z.string()),
  disks: z.array(z.object({ device: z.string(), path: z.string(), format: z.string() })),
});

/** Make, start and fill it. */
export async function libvirtGuest(
  { virsh }: Libvirt,
  folder: string,
  memoryMb: number,
): Promise<LibvirtGuest> {
  const lab = await makeLab(join(folder, 'lab'), memoryMb);
  const description = join(folder, 'domain.xml');
  await writeFile(description, domainXml(lab, memoryMb));
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

/**
 * The lab's domain file in libvirt's words: the same kernel, processor, memory and disks, and the
 * bench's monitor. It runs as whoever runs the bench, with access to the bench's own folder.
 * `moreDevices`: XML of what the bench does without.
 */
export function domainXml({ files }: Lab, memoryMb: number, moreDevices = ''): string {
  const { arguments: args, disks } = labFile.parse(parse(readFileSync(files.domainFile, 'utf8')));
  const after = (option: string): string => escaped(args[args.indexOf(option) + 1] ?? '');
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  const folder = dirname(files.domainFile);
  const disk = ({ device, path, format }: (typeof disks)[number]): string => `
    <disk type='file' device='disk'>
      <driver name='qemu' type='${format}'/>
      <source file='${escaped(resolve(folder, path))}'/>
      <target dev='${device}' bus='virtio'/>
    </disk>`;
  return `<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>${DOMAIN}</name>
  <memory unit='MiB'>${memoryMb}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>${after('-kernel')}</kernel>
    <initrd>${after('-initrd')}</initrd>
    <cmdline>${after('-append')}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact' check='none'><model fallback='forbid'>Nehalem</model></cpu>
  <devices>${disks.map(disk).join('')}
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <serial type='file'><source path='${escaped(files.consoleLog)}' append='on'/><target port='0'/></serial>
    <serial type='unix'><source mode='bind' path='${escaped(files.serialSocket)}'/><target port='1'/></serial>${moreDevices}
  </devices>
  <seclabel type='static' model='dac' relabel='no'><label>+${uid}:+${gid}</label></seclabel>
  <qemu:commandline>
    <qemu:arg value='-chardev'/>
    <qemu:arg value='socket,id=bench,path=${escaped(files.folder)}/bench.sock,server=on,wait=off'/>
    <qemu:arg value='-mon'/>
    <qemu:arg value='chardev=bench,mode=control'/>
  </qemu:commandline>
</domain>
`;
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll("'", '&apos;');
