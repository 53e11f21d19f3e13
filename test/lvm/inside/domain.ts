import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { z } from 'zod';
import { connectQmp } from '../../../src/tools/qmp.ts';
import {
  bootSector,
  counterInMemory,
  counterOnDisk,
  GUEST_AREA_BYTES,
} from '../../counting-guest.ts';
import { sh } from './commands.ts';

/** A domain whose guest counts on disks of any kind; the first is given its boot sector. */
export async function countingDomain(options: {
  readonly name: string;
  readonly folder: string;
  readonly disks: readonly { readonly path: string; readonly format: string }[];
}): Promise<string> {
  const { name, folder, disks } = options;
  await writeBootSector(folder, disks[0]!.path);
  const file = `${folder}/${name}.yaml`;
  const domain = {
    name,
    binary: 'qemu-system-x86_64',
    arguments: [
      ...['-machine', 'pc', '-accel', 'tcg', '-m', '32', '-nodefaults', '-display', 'none'],
      // The test's own monitor.
      ...['-chardev', `socket,id=other,path=${folder}/other.sock,server=on,wait=off`],
      ...['-mon', 'chardev=other,mode=control'],
    ],
    disks: disks.map((disk, index) => ({ device: `vd${'abcd'[index]}`, ...disk })),
    monitor: `${folder}/${name}.sock`,
  };
  writeFileSync(file, stringify(domain));
  return file;
}

/** Write what the counting guest is made of to a raw disk. */
export async function writeBootSector(folder: string, path: string): Promise<void> {
  const boot = `${folder}/boot.bin`;
  writeFileSync(boot, bootSector());
  await sh(`dd if=${boot} of=${path} conv=notrunc,fsync 2>&1`);
}

/** The guest's counter on a raw disk now. */
export function counterOf(path: string): number {
  const file = openSync(path, 'r');
  try {
    const area = Buffer.alloc(GUEST_AREA_BYTES);
    readSync(file, area, 0, area.length, 0);
    return counterOnDisk(area);
  } finally {
    closeSync(file);
  }
}

/** Wait until a disk's counter is beyond a value. */
export async function untilBeyond(
  path: string,
  value: number,
  timeoutMs = 60_000,
): Promise<number> {
  for (let waitedMs = 0; ; waitedMs += 100) {
    const counter = counterOf(path);
    if (counter > value) return counter;
    if (waitedMs > timeoutMs)
      throw new Error(`${path} still counts ${counter} after ${timeoutMs} ms`);
    await sleep(100);
  }
}

/** The counter in the memory of a guest, and on its disks, at one instant. */
export async function countersAtOnce(
  folder: string,
  name: string,
  disks: readonly string[],
): Promise<{ memory: number; disks: number[] }> {
  const path = `${folder}/${name}.sock`;
  const qmp = await connectQmp({ path, deadlineMs: 30_000, log: () => {} });
  try {
    await qmp.execute(z.unknown(), 'stop');
    const filename = `${folder}/${name}.memory`;
    await qmp.execute(z.unknown(), 'pmemsave', { val: 0x8000, size: 64, filename });
    const memory = counterInMemory(readFileSync(filename));
    return { memory, disks: disks.map(counterOf) };
  } finally {
    await qmp.execute(z.unknown(), 'cont');
    qmp.close();
  }
}
