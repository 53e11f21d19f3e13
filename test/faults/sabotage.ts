import { type ExecFileSyncOptions, execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { mayMount, type SmallDisk, smallDisk } from '../lab/cases/saboteurs.ts';

export const root = mayMount();

/** A file system of its own, in memory, unmounted with the test. */
export function smallDiskForTest(sizeMib: number): SmallDisk {
  const disk = smallDisk(sizeMib);
  onTestFinished(() => disk.unmount());
  return disk;
}

/** A file becomes read-only for everybody, root too; returns how it becomes writable again. */
export function readOnly(path: string): () => void {
  execFileSync('mount', ['--bind', path, path]);
  execFileSync('mount', ['-o', 'remount,bind,ro', path]);
  let done = false;
  const undo = () => {
    if (!done) execFileSync('umount', ['-l', path]);
    done = true;
  };
  onTestFinished(undo);
  return undo;
}

/** A real file system on a disk that can break: what it does not hold yet gives EIO from then on. */
export interface BreakableDisk {
  readonly folder: string;
  break(): void;
  remountReadOnly(): void;
  remountWritable(): void;
}

/** Make one on a loop device, whose blocks lie in a memory that can be used up. Null where there is none. */
export function breakableDisk(sizeMib: number): BreakableDisk | null {
  const below = smallDisk(sizeMib);
  const [image, mount] = [join(below.folder, 'disk'), join(below.folder, 'mount')];
  mkdirSync(mount);
  const quiet: ExecFileSyncOptions = { stdio: ['ignore', 'pipe', 'ignore'] };
  try {
    execFileSync('truncate', ['-s', `${sizeMib}M`, image], quiet);
    execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', image], quiet);
    execFileSync('mount', ['-o', 'loop', image, mount], quiet);
  } catch {
    below.unmount();
    return null;
  }
  onTestFinished(() => {
    execFileSync('umount', ['-l', mount]);
    below.unmount();
  });
  const folder = join(mount, 'images');
  mkdirSync(folder, { mode: 0o700 });
  const remount = (how: string) => execFileSync('mount', ['-o', `remount,${how}`, mount]);
  return {
    folder,
    break() {
      execFileSync('sync', ['-f', mount]);
      below.fill(0);
    },
    remountReadOnly: () => remount('ro'),
    remountWritable: () => remount('rw'),
  };
}

/** Read an image as an exporter does, for as long as the test likes. */
export async function exporting(
  path: string,
  share: readonly string[],
): Promise<() => Promise<void>> {
  const reader = spawn('qemu-io', ['-r', ...share, '-f', 'qcow2', path], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const gone = new Promise<void>(resolve => reader.once('exit', () => resolve()));
  await Promise.race([new Promise(resolve => reader.stdout.once('data', resolve)), gone]);
  if (reader.exitCode !== null) throw new Error(`${path} cannot be read`);
  onTestFinished(() => void reader.kill('SIGKILL'));
  return async () => {
    reader.kill('SIGKILL');
    await gone;
  };
}
