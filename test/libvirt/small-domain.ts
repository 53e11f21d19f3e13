import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/tools/run.ts';
import type { TestLibvirtd } from './daemon.ts';

const log = (): void => {};

/** A domain of one small disk, which no system boots from: its machine runs, and does nothing. */
export async function defineSmall(
  daemon: Pick<TestLibvirtd, 'virsh'>,
  folder: string,
  name: string,
  source: string = '',
): Promise<string> {
  const disk = join(folder, `${name}.qcow2`);
  if (source === '') await makeImage(disk);
  const path = join(folder, `${name}.xml`);
  const from =
    source ||
    `<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
      <source file='${disk}'/><target dev='vda' bus='virtio'/></disk>`;
  writeFileSync(
    path,
    `<domain type='qemu'><name>${name}</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices>${from}<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>`,
  );
  await daemon.virsh('define', path);
  return disk;
}

/** An image of 16 MiB. */
export async function makeImage(path: string, format = 'qcow2'): Promise<void> {
  await run(['qemu-img', 'create', '-q', '-f', format, path, '16M'], { timeoutMs: 60_000, log });
}
