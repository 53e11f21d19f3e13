import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Clock } from '../../../src/engine/clock.ts';
import type { Session } from '../../../src/operations/session.ts';
import { TRASH } from '../../../src/storages/trash.ts';
import { argvOf, pids } from '../../../src/tools/process.ts';
import { behindItsBack, type World } from './harness.ts';

const MIB = 1024 * 1024;

/** A file system of its own, that can be filled up. Only root can mount one. */
export interface SmallDisk {
  /** Where images go. */
  readonly folder: string;
  /** Write a file that leaves this much room, at most. */
  fill(leaveMib: number): void;
  /** Remove it. */
  free(): void;
  unmount(): void;
}

/** Mount a file system in memory. */
export function smallDisk(sizeMib: number): SmallDisk {
  const mount = mkdtempSync(join(tmpdir(), 'domsnap-small-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m,mode=0700`, 'tmpfs', mount]);
  const folder = join(mount, 'images');
  const filler = join(mount, 'filler');
  mkdirSync(folder, { mode: 0o700 });
  return {
    folder,
    fill(leaveMib) {
      const { bavail, bsize } = statfsSync(mount);
      const bytes = Math.max(0, bavail * bsize - leaveMib * MIB);
      try {
        writeFileSync(filler, Buffer.alloc(bytes));
      } catch (error) {
        // The guest has taken some of it meanwhile: full it is.
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    },
    free: () => rmSync(filler, { force: true }),
    unmount() {
      // Lazily: what a killed process had open may be let go a moment later.
      execFileSync('umount', ['-l', mount]);
      rmSync(mount, { recursive: true });
    },
  };
}

/** Make room for the next test, as `gc` would. */
export const emptyTrash = (folder: string): void =>
  rmSync(join(folder, TRASH), { recursive: true, force: true });

/** Whether this process may mount file systems. */
export const mayMount = (): boolean => {
  try {
    smallDisk(1).unmount();
    return true;
  } catch {
    return false;
  }
};

/** Be the one client that the guest's agent talks to; whoever comes next waits, mute. */
export async function holdAgent({ lab }: World): Promise<() => void> {
  const socket = connect(lab.files.agentSocket);
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return () => socket.destroy();
}

/** Hold an image open for writing, as a second QEMU or a backup tool would; returns how to let it go. */
export async function holdImage(path: string): Promise<() => Promise<void>> {
  const holder = spawn('qemu-io', ['-f', 'qcow2', path], { stdio: ['pipe', 'pipe', 'pipe'] });
  const gone = new Promise<void>(resolve => holder.once('exit', () => resolve()));
  // It prompts once it has the image.
  await Promise.race([new Promise(resolve => holder.stdout.once('data', resolve)), gone]);
  if (holder.exitCode !== null) throw new Error(`${path} is held by somebody else already`);
  return async () => {
    holder.kill('SIGKILL');
    await gone;
  };
}

/** Kill the first tool that works in a folder with SIGKILL, as soon as it is there. */
export function killTool(
  folder: string,
  words: readonly string[],
): { killed(): boolean; stop(): void } {
  const before = new Set(pids());
  let killed = false;
  const timer = setInterval(() => {
    if (killed) return;
    const found = pids().find(pid => !before.has(pid) && isTool(pid, folder, words));
    if (found === undefined) return;
    process.kill(found, 'SIGKILL');
    killed = true;
  }, 1);
  return { killed: () => killed, stop: () => clearInterval(timer) };
}

function isTool(pid: number, folder: string, words: readonly string[]): boolean {
  const argv = argvOf(pid) ?? [];
  return words.every((word, at) => argv[at] === word) && argv.some(one => one.startsWith(folder));
}

/** Begin a migration that domsnap knows nothing of, so slow that it does not end by itself. */
export async function foreignMigration(world: World): Promise<void> {
  await behindItsBack(world, async monitor => {
    const nothing = z.unknown();
    await monitor.execute(nothing, 'migrate-set-parameters', { 'max-bandwidth': 1024 });
    await monitor.execute(nothing, 'migrate', { uri: 'exec:cat >/dev/null' });
  });
}

const migration = z.object({ status: z.string().optional() });

/** Call that migration off. */
export async function noMigration(world: World): Promise<void> {
  await behindItsBack(world, async monitor => {
    await monitor.execute(z.unknown(), 'migrate_cancel');
    for (;;) {
      const { status } = await monitor.execute(migration, 'query-migrate');
      if (status === undefined || ['cancelled', 'completed', 'failed'].includes(status)) return;
      await sleep(20);
    }
  });
}

/** A session whose deadlines of at least `fromMs` come after `inMs`. */
export function impatient(session: Session, fromMs: number, inMs: number): Session {
  const clock: Clock = {
    ...session.clock,
    after: (ms, callback) => session.clock.after(ms >= fromMs ? inMs : ms, callback),
  };
  return { ...session, clock };
}
