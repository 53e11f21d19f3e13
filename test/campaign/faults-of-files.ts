import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { toolsDone } from '../../src/storages/locked-tool.ts';
import { exporting } from '../faults/sabotage.ts';
import { behindItsBack, DOMAIN } from '../lab/cases/harness.ts';
import { ownedFiles } from '../lab/cases/invariants.ts';
import type { CampaignWorld } from './campaign-world.ts';
import { aWhile, type Fault, type Scene, type Struck } from './fault.ts';
import { statusOf } from './faults-of-processes.ts';
import { isOpen } from './recovered.ts';

/** Files that are not to be had, and file systems that take nothing. */
export const OF_FILES: readonly Fault[] = [
  {
    name: 'full disk',
    needsRoot: true,
    holdMs: aWhile,
    strike({ world, chance }) {
      // Nothing at all, a cluster, or some.
      const struck = tight(world.disks?.images, chance.of([0, 0, 65_536, 1_000_000]));
      return struck && { ...struck, settle: () => runOn(world) };
    },
  },
  {
    name: 'full home',
    needsRoot: true,
    holdMs: aWhile,
    strike: ({ world: { disks } }) => tight(disks?.home, 0),
  },
  { name: 'file moved away', holdMs: aWhile, strike: scene => moveAway(scene) },
  {
    name: 'read-only images',
    needsRoot: true,
    holdMs: aWhile,
    strike({ world }) {
      const settle = () => noLocksLeft(world);
      return { ...readOnlyFolder(imageFolder(world)), settle };
    },
  },
  { name: 'image opened by others', holdMs: aWhile, strike: scene => open(scene) },
];

function tight(
  disk: { tighten(leftBytes: number): void; loosen(): void } | undefined,
  leftBytes: number,
): Struck | null {
  disk?.tighten(leftBytes);
  return disk ? { undo: () => disk.loosen() } : null;
}

/** A guest that met the full disk by itself waits for a person, as QEMU has it: that is no doing of domsnap's. */
async function runOn(world: CampaignWorld): Promise<void> {
  if ((await statusOf(world)) !== 'io-error') return;
  await behindItsBack(world, monitor => monitor.execute(z.unknown(), 'cont'));
}

/** An image or memory file, which may be of this very operation, is elsewhere for a while. */
function moveAway({ world, chance }: Scene): Struck | null {
  const folder = imageFolder(world);
  const found = readdirSync(folder).filter(name => /^[^.].*\.(qcow2|raw|mem|memory)/.test(name));
  if (found.length === 0) return null;
  const name = chance.of(found.sort());
  const [here, there] = [join(folder, name), join(dirname(folder), `${name}.moved-away`)];
  renameSync(here, there);
  return {
    undo() {
      // Who makes a file anew in its place is right to; nobody would put the old one over it.
      if (existsSync(here)) rmSync(there);
      else renameSync(there, here);
    },
    async settle() {
      // What was not there to be removed belongs to nobody once it is back.
      if (!isOpen(world) && !(await ownedFiles(world)).has(here)) rmSync(here, { force: true });
    },
  };
}

/** Every file in it, and the folder, for everybody, root too. What is open already stays writable. */
function readOnlyFolder(folder: string): Struck {
  execFileSync('mount', ['--bind', folder, folder]);
  // Busy while a file is being opened for writing in it; then it stays a mount point, if a writable one.
  for (let triesLeft = 5; triesLeft > 0 && !remountedReadOnly(folder); ) triesLeft -= 1;
  return { undo: () => void execFileSync('umount', ['-l', folder]) };
}

function remountedReadOnly(folder: string): boolean {
  try {
    execFileSync('mount', ['-o', 'remount,bind,ro', folder], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

/**
 * A tool that ended where nothing can be removed has left its empty lock file. Whoever looks at the image
 * next removes it, as an operation does before it begins.
 */
async function noLocksLeft(world: CampaignWorld): Promise<void> {
  if (isOpen(world)) return;
  await toolsDone([...(await ownedFiles(world))], { signal: AbortSignal.timeout(10_000) });
}

/** Another program reads an image, so that nobody may write to it. */
async function open({ world, chance }: Scene): Promise<Struck | null> {
  const owned = await ownedFiles(world).catch(() => new Set<string>());
  const images = [...owned].filter(path => path.endsWith('.qcow2')).sort();
  for (const from = chance.below(images.length + 1); images.length > 0; ) {
    const [path = ''] = images.splice(from % images.length, 1);
    const letGo = await exporting(path, []).catch(() => null);
    if (letGo) return { undo: letGo };
  }
  return null;
}

/** Where the domain's images lie. */
function imageFolder({ session }: CampaignWorld): string {
  const [disk] = session.catalog.domain(DOMAIN)?.disks ?? [];
  if (!disk) throw new Error(`${DOMAIN} has no disks`);
  return dirname(disk.head.path);
}
