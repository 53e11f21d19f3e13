import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { sh } from './commands.ts';

/** LVM's settings of this host alone; Debian's file has none but in comments. */
const SETTINGS = '/etc/lvm/lvmlocal.conf';

/**
 * Make this host one of those that share volume groups: sanlock and lvmlockd run, and LVM asks them. There is
 * no watchdog device here, so sanlock is told that there is none (`-w 0`).
 */
export async function joinSharing(): Promise<void> {
  await sh('mkdir -p /run/sanlock && sanlock daemon -w 0 -U root -G root');
  for (let tries = 0; !(await isUp('sanlock client status')); tries += 1) {
    if (tries > 60) throw new Error('sanlock does not start');
    await sleep(500);
  }
  // By its long name: 2.03.16 has forgotten about `-i`.
  await sh('lvmlockd --gl-type sanlock --host-id 1 --sanlock-timeout 2');
  await writeFile(SETTINGS, 'global { use_lvmlockd = 1 }\n');
}

/** The opposite, for the tests that come after. */
export async function leaveSharing(): Promise<void> {
  await writeFile(SETTINGS, '');
  await sh('kill -9 $(cat /run/lvmlockd.pid); sanlock shutdown -f 1', [0, 1]);
}

const isUp = async (command: string): Promise<boolean> =>
  (await sh(`${command} >/dev/null 2>&1 && echo up`, [0, 1])) === 'up';
