import { readdirSync, readFileSync } from 'node:fs';
import { guestPid, type World } from '../lab/cases/harness.ts';

/** Who is killed, with SIGKILL. */
export const VICTIMS = [
  'engine at a fail point',
  'engine',
  'engine and children',
  'a tool',
  'QEMU',
  'QEMU and engine',
  'watchdog and engine',
] as const;
export type Victim = (typeof VICTIMS)[number];

/** A command that runs, in a process group of its own. */
export interface Running {
  readonly pid: number;
}

/** Kill it; answers whether it was there. The watchdog goes first, or it would do its work. */
export function strike(victim: Victim, { pid }: Running, world: World): boolean {
  switch (victim) {
    case 'engine at a fail point':
      return true;
    case 'engine':
      return kill(pid);
    case 'engine and children':
      return kill(-pid);
    case 'a tool':
      return kill(toolOf(world));
    case 'QEMU':
      return kill(guestPid(world));
    case 'QEMU and engine': {
      const guest = guestPid(world);
      const engine = kill(pid);
      return kill(guest) || engine;
    }
    case 'watchdog and engine':
      for (const watcher of watchdogsOf(world)) kill(watcher);
      return kill(pid);
  }
}

function kill(pid: number | null): boolean {
  if (pid === null || pid === 0) return false;
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}

/** A qemu-img or qemu-io at work on this world's images. */
function toolOf({ root }: World): number | null {
  const tool = /(^|\/)qemu-(img|io)$/;
  return pidOf(argv => tool.test(argv[0] ?? '') && argv.some(word => word.startsWith(root)));
}

/** The watchdogs of this world. */
export function watchdogsOf({ session }: World): number[] {
  return pidsOf(argv => argv.includes('domsnap-watchdog') && argv.includes(session.home));
}

const pidOf = (matches: (argv: readonly string[]) => boolean): number | null =>
  pidsOf(matches)[0] ?? null;

function pidsOf(matches: (argv: readonly string[]) => boolean): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(pid => Number.isInteger(pid) && matches(argvOf(pid)));
}

function argvOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
