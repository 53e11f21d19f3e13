import { writeFileSync } from 'node:fs';
import type { Volume } from '../../../src/catalog/model.ts';
import { newcomer, takeIn } from '../../../src/operations/newcomer.ts';
import type { Session } from '../../../src/operations/session.ts';
import { qemuOf } from '../../../src/toolstacks/libvirt/passthrough.ts';
import { TestLibvirtd } from '../../libvirt/daemon.ts';
import { writeBootSector } from './domain.ts';

/** A libvirtd of a world's own, that knows its domain. */
export interface LibvirtHost {
  readonly uuid: string;
  readonly daemon: TestLibvirtd;
  /** The guest's process, or null. */
  readonly pid: () => number | null;
  /** Take the domain in, as a command does that finds it there. */
  readonly add: (session: Session) => Promise<void>;
  readonly down: () => Promise<void>;
}

const GROUP = '/dev/vg0/';

/** Start one, and define the counting guest on these disks: the first by its path, volumes behind it by their pool. */
export async function libvirtHost(options: {
  readonly name: string;
  readonly folder: string;
  readonly disks: readonly Volume[];
}): Promise<LibvirtHost> {
  const { name, folder, disks } = options;
  await writeBootSector(folder, disks[0]!.path);
  const daemon = await TestLibvirtd.start(`${folder}/libvirt`);
  await daemon.virsh('pool-define-as', 'vg0', 'logical', '--source-name', 'vg0', '--target', GROUP);
  await daemon.virsh('pool-start', 'vg0');
  const file = `${folder}/${name}.xml`;
  writeFileSync(file, domainXml(name, disks.map(diskXml)));
  await daemon.virsh('define', file);
  const uuid = await daemon.virsh('domuuid', name);
  return {
    uuid,
    daemon,
    pid: () => qemuOf(uuid)?.pid ?? null,
    async add(session) {
      const found = await newcomer(session, name, daemon.uri);
      if (found) await takeIn(session, found, {});
    },
    async down() {
      await daemon.virsh('pool-destroy', 'vg0');
      await daemon.close();
    },
  };
}

const domainXml = (name: string, disks: readonly string[]): string =>
  `<domain type='qemu'><name>${name}</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices>${disks.join('')}<controller type='usb' model='none'/><memballoon model='none'/></devices>
</domain>`;

function diskXml({ path, format }: Volume, index: number): string {
  const ofPool = index > 0 && path.startsWith(GROUP);
  const source = ofPool
    ? `<source pool='vg0' volume='${path.slice(GROUP.length)}'/>`
    : path.startsWith(GROUP)
      ? `<source dev='${path}'/>`
      : `<source file='${path}'/>`;
  const type = ofPool ? 'volume' : path.startsWith(GROUP) ? 'block' : 'file';
  return `<disk type='${type}' device='disk'><driver name='qemu' type='${format}'/>${source}
<target dev='vd${'abcd'[index]}' bus='virtio'/><boot order='${index + 1}'/></disk>`;
}
