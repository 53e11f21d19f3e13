import { readFile, realpath } from 'node:fs/promises';
import { basename } from 'node:path';

/** A logical volume by its two names. */
export interface LvName {
  readonly vg: string;
  readonly lv: string;
}

/**
 * The logical volume behind a path; undefined where it is something else. An active one is what the
 * kernel says it is, by whatever link it is reached: device-mapper keeps LVM's mark and name of each
 * (`dm/uuid`, `dm/name` in sysfs). One that is not active has no device: there the two usual ways to
 * write its path are read.
 */
export async function logicalVolumeAt(path: string): Promise<LvName | undefined> {
  if (!path.startsWith('/dev/')) return undefined;
  const device = await realpath(path).catch(() => undefined);
  if (device === undefined) return namedBy(path);
  const mapped = `/sys/class/block/${basename(device)}/dm`;
  const uuid = await readFile(`${mapped}/uuid`, 'utf8').catch(() => '');
  if (!uuid.startsWith('LVM-')) return undefined;
  const found = fromMapperName((await readFile(`${mapped}/name`, 'utf8')).trim());
  // A link goes on leading to a volume for a moment after that was renamed: its name is what counts.
  const written = namedBy(path);
  return written && written.vg === found?.vg ? written : found;
}

/** `/dev/VG/LV` and `/dev/mapper/VG-LV`. */
export function namedBy(path: string): LvName | undefined {
  const [vg, lv, ...more] = path.slice('/dev/'.length).split('/');
  if (vg === undefined || lv === undefined || lv === '' || more.length > 0) return undefined;
  if (vg === 'mapper') return fromMapperName(lv);
  // Folders of the kernel's and udev's own, in which no volume group has its name.
  return ['disk', 'block', 'char', 'bus', 'fd', 'input', 'shm', 'pts'].includes(vg)
    ? undefined
    : { vg, lv };
}

/** Device-mapper's name of a volume: the two names with a hyphen between, those within them doubled. */
export function fromMapperName(name: string): LvName | undefined {
  const parts = /^((?:[^-]|--)+)-((?:[^-]|--)+)$/.exec(name);
  const [vg, lv] = (parts?.slice(1) ?? []).map(part => part.replaceAll('--', '-'));
  return vg === undefined || lv === undefined ? undefined : { vg, lv };
}
