import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArchiveEntry, cpioArchive } from '../../src/lab/cpio.ts';
import type { HostKit } from './kit.ts';

/** Behind the guest's switch of roots, where the shared folder and what the session needs are. */
export const LAB = '/run/domsnap-lab';

/** How the guest mounts the folders that QEMU gives it: large messages, and no second check of rights. */
const over9p = (cache: string) =>
  `-t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=${cache},access=any`;

/**
 * The guest's first process: it makes a root of this machine's own, read-only below, with all that is
 * written above it in the guest's memory, and gives it to the session, which lies in the shared folder.
 */
const initScript = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod $module; done
fail() { echo "the lab host has no root: $1"; poweroff -f; }

# Whatever this machine's root holds does not change under the guest: it may be remembered.
mount ${over9p('loose')},ro machine /machine || fail 'the machine is not there'
mount -t tmpfs -o size=70% written /written
mkdir /written/upper /written/work
layers=lowerdir=/machine,upperdir=/written/upper,workdir=/written/work
mount -t overlay -o $layers root /root || fail 'nothing can be written'
for folder in proc sys dev; do mount --move /$folder /root/$folder; done
mount -t tmpfs run /root/run
mkdir -p /root/dev/pts /root/dev/shm /root${LAB}/share
mount -t devpts devpts /root/dev/pts
mount -t tmpfs shm /root/dev/shm
mount ${over9p('none')} share /root${LAB}/share || fail 'the shared folder is not there'
cp /bin/busybox /root${LAB}/busybox
exec switch_root /root /bin/sh ${LAB}/share/session
`;

/** Write the guest's first root: busybox, drivers and the script above (3 MB, 20 ms). */
export async function writeInitramfs(kit: HostKit, path: string): Promise<void> {
  const entries: ArchiveEntry[] = [];
  const add = (name: string, data: Uint8Array) => entries.push({ path: name, mode: 0o755, data });
  for (const folder of ['proc', 'sys', 'dev', 'machine', 'written', 'root'])
    entries.push({ path: folder, mode: 0o755 });
  const modules = join(kit.folder, 'modules');
  for (const name of (await readdir(modules)).sort())
    add(`modules/${name}`, await readFile(join(modules, name)));
  add('bin/busybox', await readFile(join(kit.folder, 'busybox')));
  add('init', Buffer.from(initScript));
  await writeFile(path, cpioArchive(entries));
}
