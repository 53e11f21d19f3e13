import { existsSync, mkdtempSync, statSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Kit, labKit } from '../../src/lab/kit.ts';
import { runLabTool } from '../../src/lab/lab-tools.ts';
import { programOf } from '../../src/lab/shared-libraries.ts';
import type { CutCase } from './cases.ts';
import { type History, makeHistory } from './histories.ts';
import { initramfs } from './initramfs.ts';
import type { LabHost } from './lab-host.ts';
import { noSyncLibrary } from './no-sync.ts';
import { makeFileSystem, rootImage } from './root-image.ts';
import { tools } from './tools.ts';

/** All that the lab hosts of a run share. */
export interface Lab {
  readonly kit: Kit;
  readonly work: string;
  /** Where the data disk's content lies, here and in the lab host: images name each other by paths. */
  readonly data: string;
  readonly root: string;
  readonly initramfs: string;
  readonly withoutSync: boolean;
  readonly disks: Readonly<Record<'recovered' | 'fresh' | 'log', string>>;
  /** The bytes in the fresh disk's log. */
  readonly logged: () => number;
  readonly bases: Map<string, Base>;
  host: LabHost | undefined;
}

/** A disk that a case begins with, and what is on it. */
export interface Base {
  readonly image: string;
  readonly history: History;
}

const DATA_BYTES = 128 * 1024 * 1024;

/** Make what lab hosts are made of, and a folder for what they leave. */
export async function makeLab(options: {
  readonly cacheFolder: string;
  readonly withoutSync?: boolean | undefined;
}): Promise<Lab> {
  const { cacheFolder, withoutSync = false } = options;
  const kit = await labKit(cacheFolder, tools);
  const root = await rootImage(cacheFolder, kit);
  const extra: Record<string, string> = withoutSync
    ? { 'no-sync.so': await noSyncLibrary(cacheFolder) }
    : {};
  // Short, for the sockets in it; and every host has a /tmp.
  const work = mkdtempSync('/tmp/domsnap-cut-');
  const archive = join(work, 'initramfs.cpio');
  await initramfs(kit, archive, extra);
  const log = join(work, 'fresh.log');
  return {
    kit,
    work,
    data: join(work, 'data'),
    root,
    initramfs: archive,
    withoutSync,
    disks: { recovered: join(work, 'recovered.ext4'), fresh: join(work, 'fresh.ext4'), log },
    logged: () => statSync(log).size,
    bases: new Map(),
    host: undefined,
  };
}

/** The disk that a case begins with: its content is made here, where that takes a tenth of the time. */
export async function baseOf(lab: Lab, { storage, shape }: CutCase): Promise<Base> {
  const name = `${storage}-${shape}`;
  const known = lab.bases.get(name);
  if (known) return known;
  await emptyData(lab);
  const history = await makeHistory(lab.data, storage, shape);
  const image = join(lab.work, `base-${name}.ext4`);
  await makeFileSystem(lab.kit, lab.data, image, DATA_BYTES);
  const base = { image, history };
  lab.bases.set(name, base);
  return base;
}

/** Copy the content of a disk to where it lay in the lab host. */
export async function takeOut(lab: Lab, image: string): Promise<void> {
  await emptyData(lab);
  const request = `rdump / ${lab.data}`;
  const argv = programOf(lab.kit.programs, 'sbin/debugfs', ['-R', request, image]);
  const { stderr } = await runLabTool(tools, argv);
  if (!existsSync(join(lab.data, 'home'))) throw new Error(`the disk cannot be read: ${stderr}`);
}

/** Replay the journal of a disk's file system, as the kernel would on mounting it; e2fsprogs is on every Debian. */
export async function replayJournal(image: string): Promise<void> {
  const path = 'PATH=/usr/sbin:/sbin:/usr/bin:/bin';
  await runLabTool(tools, ['env', path, 'e2fsck', '-y', '-E', 'journal_only', image]);
}

async function emptyData({ data }: Lab): Promise<void> {
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { recursive: true, mode: 0o700 });
}
