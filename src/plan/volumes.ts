import type { DomainDisk, Volume } from '../catalog/model.ts';
import { FULL_PERCENT } from '../storages/fullness.ts';
import type { ImageView, ManagedVolume } from '../storages/port.ts';
import { mebibytes } from './draft.ts';
import { fileSafe } from './names.ts';
import type { Refusal } from './refusal.ts';
import type { Survey } from './survey.ts';

/** How much room a snapshot of a logical volume gets, as a user says it: `20%` of the volume, or bytes. */
export type Room = { readonly percent: number } | { readonly bytes: number };

/** More, on top of the volume itself, for the table of what has changed: 16 bytes for each 4 KiB, and a chunk. */
const TABLE_SHARE = 1.01;
/** LVM's names hold no more, together with what it may append itself. */
const LV_NAME_MAX = 127 - '.replaced'.length;

/** What its volume manager says of a disk's head; undefined for a disk that has none. */
export const managerOf = ({ images }: Survey, head: Volume): ManagedVolume | undefined =>
  images.get(head.path)?.manager;

/**
 * The name of the volume that holds a disk's content. Its own name comes first, so that an administrator
 * sees in any list what belongs together; LVM has words of its own that hold a `_`.
 */
export function volumeTag(head: Volume, stem: string, operation: string): string {
  const lv = head.path.slice(head.path.lastIndexOf('/') + 1);
  const own = lv.startsWith('-') ? lv.slice(1) : lv;
  const middle = fileSafe(stem).replaceAll('_', '-');
  const room = LV_NAME_MAX - operation.length - 2 - middle.length;
  return `${own.slice(0, Math.max(room, 1))}.${middle}.${operation}`;
}

/** The room that a classic snapshot gets, in bytes, in whole extents; undefined for thin volumes. */
export function roomFor(view: ImageView, asked: Room | undefined): number | undefined {
  const { manager, virtualBytes } = view;
  if (manager?.kind !== 'lvm') return undefined;
  const { extentBytes } = manager;
  const most = virtualBytes * TABLE_SHARE + extentBytes;
  const wanted =
    asked === undefined
      ? most
      : 'bytes' in asked
        ? asked.bytes
        : (virtualBytes * asked.percent) / 100;
  return Math.ceil(Math.min(wanted, most) / extentBytes) * extentBytes;
}

/** Whether a snapshot with this room can never run full. */
export const neverFull = ({ virtualBytes }: ImageView, roomBytes: number): boolean =>
  roomBytes >= virtualBytes * TABLE_SHARE;

/**
 * A snapshot of a volume that somebody has open is neither removed nor merged: LVM would refuse the one, and
 * put the other off.
 */
export function heldSnapshots(
  facts: Survey,
  used: readonly { readonly device: string; readonly image: Volume; readonly tag: string }[],
): Refusal[] {
  return used.flatMap(({ device, image, tag }) => {
    const manager = managerOf(facts, image);
    if (!manager?.snapshots.find(one => one.tag === tag)?.open) return [];
    const path = `/dev/${manager.group}/${tag}`;
    return [
      {
        code: 'in-use',
        message: `${device}: ${path} is open: something reads it, has mounted it, or stands on it`,
        hint: `'lsblk ${path}' and 'fuser -v ${path}' show what does; let it end, or umount it`,
      },
    ];
  });
}

/** Why no snapshot can be taken of these volumes, with their rooms, whatever it is for. */
export function volumeRefusals(
  facts: Survey,
  taken: readonly { readonly disk: DomainDisk; readonly roomBytes: number | undefined }[],
): Refusal[] {
  const refusals: Refusal[] = [];
  const groups = new Map<string, { need: number; free: number; devices: string[] }>();
  for (const { disk, roomBytes } of taken) {
    const manager = managerOf(facts, disk.head);
    if (!manager) continue;
    refusals.push(...unfit(disk, manager));
    if (roomBytes === undefined) continue;
    const sum = groups.get(manager.group) ?? { need: 0, free: manager.freeBytes, devices: [] };
    sum.need += roomBytes;
    sum.devices.push(disk.device);
    groups.set(manager.group, sum);
  }
  for (const [group, { need, free, devices }] of groups) {
    if (need <= free) continue;
    refusals.push({
      code: 'no-space',
      message: `${devices.join(', ')}: the volume group ${group} has ${mebibytes(free)} free; snapshots that cannot run full need ${mebibytes(need)}`,
      hint: `--lvm-size 20% gives each room for a fifth of its volume: domsnap shows how full it is, and LVM drops one that runs full; or extend the group (vgextend), or use thin volumes`,
    });
  }
  return refusals;
}

/** What other hosts may have active they would go on with as it was, and LVM refuses what changes it. */
function sharedVolume(
  device: string,
  { path }: Volume,
  { group, shared }: ManagedVolume,
): Refusal[] {
  if (shared === null) return [];
  return [
    {
      code: 'shared-group',
      message: `${device}: the volume group ${group} of ${path} is shared with other hosts; ${shared}`,
      hint: `when no other host uses it, and with the domain off: 'lvchange -an ${path}' and 'lvchange -aey ${path}' (lvmlockd(8))`,
    },
  ];
}

/** Snapshots are removed under the lock of what they were taken of. */
export function sharedSnapshots(
  facts: Survey,
  used: readonly { readonly device: string; readonly image: Volume }[],
): Refusal[] {
  return used.flatMap(({ device, image }) => {
    const manager = managerOf(facts, image);
    return manager ? sharedVolume(device, image, manager) : [];
  });
}

/**
 * As long as its domain is off nobody may have a volume open that is to be kept, put back, or written to: it
 * may be mounted. Those that a process has open are the survey's business.
 */
export function openVolumes(facts: Survey, used: readonly DomainDisk[]): Refusal[] {
  if (facts.view.runState !== 'off') return [];
  return used.flatMap(({ device, head: { path } }) => {
    if (facts.holders.has(path) || !facts.images.get(path)?.manager?.open) return [];
    return [
      {
        code: 'in-use',
        message: `${device}: ${path} is open, while ${facts.domain.name} is off: it is mounted, or something stands on it`,
        hint: `'lsblk ${path}' shows where; umount it, or take down what stands on it`,
      },
    ];
  });
}

function unfit({ device, head }: DomainDisk, manager: ManagedVolume): Refusal[] {
  const { group, pool, alias } = manager;
  if (alias !== null) {
    return [
      {
        code: 'volume-alias',
        message: `${device}: ${head.path} is another name of ${alias}, and need not lead there any more when the volume has been put back`,
        hint: `name ${alias} in the domain's description`,
      },
    ];
  }
  if (manager.shared !== null) return sharedVolume(device, head, manager);
  if (manager.isSnapshot) {
    return [
      {
        code: 'snapshot-of-snapshot',
        message: `${device}: ${head.path} is a snapshot itself, and LVM takes no classic snapshot of a snapshot`,
        hint: 'thin volumes have no such limit (lvconvert --type thin); or copy it into a volume of its own',
      },
    ];
  }
  if (manager.merging) {
    return [
      {
        code: 'merging',
        message: `${device}: a snapshot is being merged into ${head.path}`,
        hint: `wait until 'lvs ${group}' does not show it any more; a merge that was put off begins when the volume is activated again`,
      },
    ];
  }
  if (pool && Math.max(pool.dataPercent, pool.metadataPercent) >= FULL_PERCENT) {
    const what = pool.dataPercent >= FULL_PERCENT ? 'data' : 'metadata';
    const extend = what === 'data' ? '-L +SIZE' : '--poolmetadatasize +SIZE';
    return [
      {
        code: 'no-space',
        message: `${device}: the ${what} of the thin pool ${group}/${pool.name} is ${Math.max(pool.dataPercent, pool.metadataPercent)} % full: every write of every guest on it could fail`,
        hint: `lvextend ${extend} ${group}/${pool.name}`,
      },
    ];
  }
  return [];
}
