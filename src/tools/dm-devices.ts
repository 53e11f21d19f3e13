import { readdir, readFile } from 'node:fs/promises';
import type { LvName } from './lvm-name.ts';
import type { LvmCall } from './lvm-report.ts';
import { run } from './run.ts';

/** Device-mapper's name of a volume: the two names with a hyphen between, those within them doubled. */
export const mapperName = ({ vg, lv }: LvName): string =>
  [vg, lv].map(name => name.replaceAll('-', '--')).join('-');

/**
 * The kernel's devices of a volume, by their names: itself, and the room of a classic snapshot. LVM knows
 * them by the volume's id; those of a volume that it does not know any more are in the way of the next one
 * of that name ("Device or resource busy"). An lvcreate that is killed may leave such.
 */
export async function devicesOf(volume: LvName): Promise<string[]> {
  const wanted = [mapperName(volume), `${mapperName(volume)}-cow`];
  const found = new Set<string>();
  for (const device of await readdir('/sys/class/block')) {
    if (!device.startsWith('dm-')) continue;
    const says = (file: string) =>
      readFile(`/sys/class/block/${device}/dm/${file}`, 'utf8').catch(() => '');
    if ((await says('uuid')).startsWith('LVM-')) found.add((await says('name')).trim());
  }
  // The one that stands on the other goes first.
  return wanted.filter(name => found.has(name));
}

/** dmsetup(8), `remove`: refuses what somebody has open. Throws ToolError. */
export async function removeDevice(name: string, { log, signal }: LvmCall): Promise<void> {
  await run(['dmsetup', 'remove', '--retry', name], { timeoutMs: 30_000, log, signal });
}
