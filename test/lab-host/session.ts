import { shellWord } from '../../src/tools/shell-word.ts';
import { LAB } from './initramfs.ts';

/** What a lab host is to run. */
export interface Command {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * LVM asks a daemon that the lab does not run to watch merges and pools (`lvmpolld`, `dmeventd`), and
 * would take only the devices that this machine's own file of devices names.
 */
const lvmConfiguration = `devices { use_devicesfile = 0 }
global { use_lvmpolld = 0 }
activation { monitoring = 0 }
`;

/**
 * The script that the lab host runs in its root, from the shared folder (see `run-in-lab.ts`): it
 * completes the system as far as programs need it, runs the command, and powers the host off.
 */
export function sessionScript({ argv, cwd, environment }: Command): string {
  const exports = Object.entries(environment).map(
    ([name, value]) => `export ${name}=${shellWord(value)}`,
  );
  return `share=${LAB}/share
${LAB}/busybox ip link set lo up
${LAB}/busybox hostname labhost
# devtmpfs has none of these.
ln -sfn /proc/self/fd /dev/fd
ln -sfn /proc/self/fd/0 /dev/stdin
ln -sfn /proc/self/fd/1 /dev/stdout
ln -sfn /proc/self/fd/2 /dev/stderr
mkdir -p /run/lock /run/lvm /run/udev /var/lib/domsnap
# This machine's own domains are none of the lab's.
mount -t tmpfs home /var/lib/domsnap
cat >/etc/lvm/lvm.conf <<'END'
${lvmConfiguration}END
: >/etc/lvm/lvmlocal.conf
# LVM waits for udev's links. Where this machine has none, its commands say so.
/lib/systemd/systemd-udevd --daemon
udevadm trigger --subsystem-match=block --subsystem-match=misc
udevadm settle
${exports.join('\n')}
cd ${shellWord(cwd)} && ${argv.map(shellWord).join(' ')} </dev/null >$share/output 2>&1
echo $? >$share/status
cut -d' ' -f1 /proc/uptime >$share/uptime
sync
exec ${LAB}/busybox poweroff -f
`;
}
