import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { DomainDisk, Snapshot } from '../../../src/catalog/model.ts';
import { sqliteCatalog } from '../../../src/journal/catalog.ts';
import { openDatabase } from '../../../src/journal/database.ts';
import { domainFile, type Place, place } from '../../cli/domsnap.ts';
import { digestsByLibvhdi } from '../../tools/vhd/libvhdi.ts';
import { writeVhd } from '../../tools/vhd/write-vhd.ts';

const MIB = 2 ** 20;
/** Not whole blocks of 2 MiB, and several of them. */
const SIZES = { vda: 9 * MIB, vdb: 5 * MIB };
export type Device = 'vda' | 'vdb';

/** A domain that is off, `web1`, on VHDs: vda dynamic, vdb of a fixed size. */
export interface VhdWorld {
  readonly here: Place;
  /** What each snapshot was seen to hold when it was made, by operation. */
  readonly proofs: Map<string, readonly string[]>;
}

/** Make the images, fill them by QEMU as its guest would, and take the domain in. */
export async function vhdDomain(
  atEnd?: (clean: () => void) => void,
  sizes: Readonly<Record<Device, number>> = SIZES,
): Promise<VhdWorld> {
  const here = place(atEnd);
  for (const [device, subformat] of [
    ['vda', 'dynamic'],
    ['vdb', 'fixed'],
  ] as const) {
    const path = here.path(`${device}.vhd`);
    const options = `subformat=${subformat},force_size=on`;
    tool('qemu-img', 'create', '-q', '-f', 'vpc', '-o', options, path, String(sizes[device]));
    tool('qemu-io', '-f', 'vpc', '-c', 'write -P 0x11 0 3M', '-c', 'write -P 0x12 4M 512k', path);
  }
  const disks = (['vda', 'vdb'] as const).map(device => ({
    device,
    path: `./${device}.vhd`,
    format: 'vpc',
  }));
  writeFileSync(here.path('web1.yaml'), domainFile({ disks }));
  const world = { here, proofs: new Map() };
  await domsnap(world, 'domain', 'add', here.path('web1.yaml'));
  return world;
}

const tool = (program: string, ...args: string[]) =>
  execFileSync(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });

/** Run the real command; it must go well. Answers what it says to programs. */
export async function domsnap({ here }: VhdWorld, ...args: string[]): Promise<{ case?: string }> {
  const { exit, stdout, stderr } = await here.run(['--json', ...args]);
  expect(exit, `${args.join(' ')}: ${stdout}${stderr}`).toBe(0);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
}

/** What the catalog says. */
export function records({ here }: VhdWorld): {
  heads: readonly DomainDisk[];
  snapshots: readonly Snapshot[];
} {
  const database = openDatabase(here.home);
  try {
    const catalog = sqliteCatalog(database);
    return {
      heads: catalog.domain('web1')?.disks ?? [],
      snapshots: catalog.snapshots('web1'),
    };
  } finally {
    database.close();
  }
}

/** Write to a disk's head as a guest does, in whole pages. */
export async function guestWrites(
  world: VhdWorld,
  device: Device,
  page: number,
  pages: number,
  value: number,
): Promise<void> {
  const head = records(world).heads.find(disk => disk.device === device)?.head.path ?? '';
  await writeVhd(head, page * 4096, pages * 4096, value);
}

/** What the disks show now. */
export const shown = (world: VhdWorld): string[] =>
  digestsByLibvhdi(records(world).heads.map(({ head }) => head.path)).map(({ sha256 }) => sha256);

/** Every snapshot holds what it held when it was first seen; no file is there that nobody names. */
export async function allStand(world: VhdWorld, disks: readonly string[]): Promise<void> {
  const { heads, snapshots } = records(world);
  const paths = [
    ...heads.map(({ head }) => head.path),
    ...snapshots.flatMap(one => one.disks.map(({ image }) => image.path)),
  ];
  const seen = new Map(digestsByLibvhdi(paths).map((one, index) => [paths[index], one]));
  const digest = (path: string) => seen.get(path)?.sha256;
  expect(
    heads.map(({ head }) => digest(head.path)),
    'what the disks show',
  ).toEqual(disks);
  for (const { name, operation, disks: held } of snapshots) {
    const now = held.map(({ image }) => digest(image.path) ?? '');
    expect(now, `what ${name} holds`).toEqual(world.proofs.get(operation) ?? now);
    world.proofs.set(operation, now);
  }
  const needed = new Set([...seen.values()].flatMap(({ chain }) => chain));
  const found = readdirSync(world.here.folder)
    .filter(name => name.endsWith('.vhd') || name.includes('domsnap-draft'))
    .map(name => world.here.path(name));
  expect(found.sort(), 'the files').toEqual([...needed].sort());
  const doctor = await world.here.run(['doctor', 'web1']);
  expect(doctor.exit, doctor.stdout + doctor.stderr).toBe(0);
}
