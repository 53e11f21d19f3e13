import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import {
  isManaged,
  type Snapshot,
  type SnapshotDisk,
  type Volume,
} from '../../../src/catalog/model.ts';
import { openSession } from '../../../src/operations/open-session.ts';
import { type Report, runRequest } from '../../../src/operations/run-request.ts';
import type { Session } from '../../../src/operations/session.ts';
import type { Request } from '../../../src/plan/request.ts';
import { Notes } from '../../../src/toolstacks/qemu/notes.ts';
import { processOf } from '../../../src/toolstacks/qemu/process.ts';
import { GUEST_AREA_BYTES } from '../../counting-guest.ts';
import { domsnap, sh } from './commands.ts';
import { counterOf, countingDomain } from './domain.ts';
import { type LibvirtHost, libvirtHost } from './libvirt-host.ts';

export const DOMAIN = 'web1';

/** What a domain's two disks are, and how they are made in the group vg0. */
export interface Kind {
  readonly name: 'lvm' | 'lvm-thin' | 'lvm-mixed' | 'libvirt-lvm';
  /** Who looks after its QEMU: domsnap itself, unless told. */
  readonly toolstack?: 'libvirt';
  /** How the case ids of its snapshots end. */
  readonly ending: 'internal' | 'external';
  readonly make: (folder: string) => Promise<readonly Volume[]>;
}

const thin = async (name: string): Promise<Volume> => {
  await sh(`lvcreate -y -V 8M --thin -n ${name} vg0/pool`);
  return { path: `/dev/vg0/${name}`, format: 'raw' };
};
const classic = async (name: string): Promise<Volume> => {
  await sh(`lvcreate -y -Wy -L 8M -n ${name} vg0`);
  // LVM wipes its beginning alone: the counters of whoever had that place before would be read as its own.
  await sh(`dd if=/dev/zero of=/dev/vg0/${name} bs=1M count=8 oflag=direct 2>&1`);
  return { path: `/dev/vg0/${name}`, format: 'raw' };
};

const KINDS: readonly Kind[] = [
  {
    name: 'lvm',
    ending: 'internal',
    make: async () => [await classic('root'), await classic('data')],
  },
  {
    name: 'lvm-thin',
    ending: 'internal',
    make: async () => [await thin('root'), await thin('data')],
  },
  {
    name: 'lvm-mixed',
    ending: 'external',
    async make(folder) {
      const path = `${folder}/logs.qcow2`;
      await sh(`qemu-img create -q -f qcow2 ${path} 8M`);
      return [await classic('root'), await thin('data'), { path, format: 'qcow2' }];
    },
  },
  {
    name: 'libvirt-lvm',
    toolstack: 'libvirt',
    ending: 'internal',
    // Libvirt's pools do not see thin volumes.
    make: async () => [await thin('root'), await classic('data')],
  },
];

/** Those whose name fits `DOMSNAP_LVM_KIND`. */
export const chosenKinds = (): readonly Kind[] =>
  KINDS.filter(({ name }) => new RegExp(process.env.DOMSNAP_LVM_KIND ?? '').test(name));

export const kindOf = (name: Kind['name']): Kind => KINDS.find(kind => kind.name === name) as Kind;

/** A domain of such disks, and the session that works on it. */
export interface VolumeWorld {
  readonly kind: Kind;
  readonly session: Session;
  readonly folder: string;
  /** Under libvirt: its daemon, of this world's own. */
  readonly libvirt: LibvirtHost | null;
}

/** Make the group, the domain's disks and the domain. */
export async function volumeWorldUp(
  kind: Kind,
  makeGroup = 'vgcreate vg0 /dev/vda',
): Promise<VolumeWorld> {
  await sh(makeGroup);
  await sh('lvcreate -y --type thin-pool -L 256M -n pool vg0');
  const folder = mkdtempSync('/run/web1-');
  const home = `${folder}/home`;
  const disks = await kind.make(folder);
  const who = { uid: 0, login: 'root', host: 'labhost', pid: process.pid };
  const open = () => openSession({ home, who, watchdog: null });
  if (kind.toolstack === 'libvirt') {
    const libvirt = await libvirtHost({ name: DOMAIN, folder, disks });
    const session = open();
    await libvirt.add(session);
    return { kind, folder, session, libvirt };
  }
  const file = await countingDomain({ name: DOMAIN, folder, disks });
  const { status, said } = await domsnap('domain', 'add', file, '--home', home);
  if (status !== 0) throw new Error(said);
  return { kind, folder, session: open(), libvirt: null };
}

/** Take it all down again. */
export async function volumeWorldDown({ session, libvirt }: VolumeWorld): Promise<void> {
  const { status, said } = await domsnap('domain', 'stop', DOMAIN, '--home', session.home);
  if (status !== 0) throw new Error(said);
  session.close();
  await libvirt?.down();
  // udev looks into each volume that was written to.
  await sh('udevadm settle');
  // A shared group takes the lock of all groups with it.
  await sh('vgremove -ff -y vg0 && pvremove --config global/use_lvmlockd=0 /dev/vda');
}

type Wish = Request extends infer One ? (One extends Request ? Omit<One, 'domain'> : never) : never;

/** Run an operation to its committed end. Throws with what it failed of. */
export async function done({ session }: VolumeWorld, wish: Wish): Promise<Report> {
  const report = await runRequest(session, { ...wish, domain: DOMAIN } as Request);
  if (report.outcome === 'committed') return report;
  throw new Error(`${report.caseId} ${report.outcome}: ${JSON.stringify(report.failures)}`);
}

/** The counters that a snapshot holds, disk by disk. */
export const countersOf = ({ disks }: Snapshot): number[] => disks.map(counterIn);

function counterIn({ image, tag, mode }: SnapshotDisk): number {
  if (mode !== 'internal' || tag === undefined || !isManaged(image)) return counterAt(image);
  const volume = `vg0/${tag}`;
  execFileSync('lvchange', ['-y', '-ay', '-K', volume], { stdio: 'ignore' });
  return counterAt({ path: `/dev/${volume}`, format: 'raw' });
}

/** The guest's counter on a disk of any format now. */
export function counterAt({ path, format }: Volume): number {
  if (format === 'raw') return counterOf(path);
  const folder = mkdtempSync('/run/copy-');
  const copy = `${folder}/area`;
  const count = String(GUEST_AREA_BYTES / 512);
  const argv = ['dd', '-U', '-f', format, '-O', 'raw', 'bs=512', `count=${count}`];
  execFileSync('qemu-img', [...argv, `if=${path}`, `of=${copy}`]);
  const counter = counterOf(copy);
  rmSync(folder, { recursive: true });
  return counter;
}

/** Have the domain take the way of saving memory that is asked for by refusing the better one. */
export function banBackground({ session, libvirt }: VolumeWorld): void {
  const file = `${session.home}/run/${DOMAIN}.pid`;
  const pid = libvirt ? libvirt.pid() : Number.parseInt(readFileSync(file, 'utf8'), 10);
  const process = pid === null ? undefined : processOf(pid);
  if (!process) throw new Error('there is no QEMU');
  const notes = new Notes(session.home, libvirt?.uuid ?? DOMAIN);
  notes.write({ burnt: { process, why: 'the test wants the other' } });
}
