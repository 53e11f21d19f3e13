import { readdirSync } from 'node:fs';
import type { RunningCommand } from './command.ts';
import { qemuPid, type Stage, wordsOf } from './stage.ts';

/** Who is killed, with SIGKILL. */
export const VICTIMS = ['virsh', 'libvirtd', 'qemu-img', 'QEMU', 'QEMU and libvirtd'] as const;
export type Victim = (typeof VICTIMS)[number];

/** Those that a case has, while its guest runs and while it is off. */
export const LIVE: readonly Victim[] = ['virsh', 'libvirtd', 'QEMU', 'QEMU and libvirtd'];
export const OFFLINE: readonly Victim[] = ['virsh', 'libvirtd', 'qemu-img'];

/** Whether it takes the guest with it. */
export const killsQemu = (victim: Victim | null): boolean => victim?.startsWith('QEMU') ?? false;

/** Kill it; answers whether it was there. */
export function strike(victim: Victim, command: RunningCommand, stage: Stage): boolean {
  switch (victim) {
    case 'virsh':
      return command.kill();
    case 'libvirtd':
      return kill(stage.libvirtd.pid);
    case 'qemu-img':
      return kill(toolOf(stage));
    case 'QEMU':
      return kill(qemuPid(stage));
    case 'QEMU and libvirtd': {
      const guest = qemuPid(stage);
      const daemon = kill(stage.libvirtd.pid);
      return kill(guest) || daemon;
    }
  }
}

function kill(pid: number | null): boolean {
  if (pid === null) return false;
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}

/** A qemu-img at work on the guest's images. */
function toolOf({ images }: Stage): number | null {
  for (const pid of readdirSync('/proc').filter(entry => /^\d+$/.test(entry))) {
    const [program = '', ...words] = wordsOf(pid);
    if (/(^|\/)qemu-img$/.test(program) && words.some(word => word.includes(images)))
      return Number(pid);
  }
  return null;
}
