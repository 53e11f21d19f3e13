import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Lab } from './guest.ts';

const labFile = z.object({
  name: z.string(),
  arguments: z.array(z.string()),
  disks: z.array(z.object({ device: z.string(), path: z.string(), format: z.string() })),
});

/** What of it differs by who wants it. */
export interface LibvirtXmlOptions {
  readonly memoryMb: number;
  /** The file, beside the images, of a monitor for what is done behind libvirt's back. */
  readonly monitor: string;
  readonly agent: boolean;
  /** It runs as whoever asks, with that user's access to the files; else as libvirt would have it. */
  readonly asMyself?: boolean;
}

/**
 * The lab's domain file in libvirt's words: the same kernel, processor, memory, disks and serial lines, and
 * a second monitor.
 */
export function libvirtXml({ files }: Pick<Lab, 'files'>, options: LibvirtXmlOptions): string {
  const { memoryMb, monitor, agent, asMyself = false } = options;
  const {
    name,
    arguments: args,
    disks,
  } = labFile.parse(parse(readFileSync(files.domainFile, 'utf8')));
  const after = (option: string): string => escaped(args[args.indexOf(option) + 1] ?? '');
  const folder = dirname(files.domainFile);
  const disk = ({ device, path, format }: (typeof disks)[number]): string => `
    <disk type='file' device='disk'>
      <driver name='qemu' type='${format}'/>
      <source file='${escaped(resolve(folder, path))}'/>
      <target dev='${device}' bus='virtio'/>
    </disk>`;
  return `<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>${escaped(name)}</name>
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
    <serial type='unix'><source mode='bind' path='${escaped(files.serialSocket)}'/><target port='1'/></serial>${agent ? AGENT : ''}
  </devices>${asMyself ? labelOfMine() : ''}
  <qemu:commandline>
    <qemu:arg value='-chardev'/>
    <qemu:arg value='socket,id=second,path=${escaped(files.folder)}/${monitor},server=on,wait=off'/>
    <qemu:arg value='-mon'/>
    <qemu:arg value='chardev=second,mode=control'/>
  </qemu:commandline>
</domain>
`;
}

const AGENT =
  "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>";

const labelOfMine = (): string => {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  return `<seclabel type='static' model='dac' relabel='no'><label>+${uid}:+${gid}</label></seclabel>`;
};

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll("'", '&apos;');
