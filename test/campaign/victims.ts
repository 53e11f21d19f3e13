import { dirname } from 'node:path';
import type { Running } from '../lab/cases/command.ts';
import { DOMAIN, guestPid, type World } from '../lab/cases/harness.ts';
import { killed, pidsWhose, watchdogsOf } from '../processes.ts';
import type { CampaignWorld } from './campaign-world.ts';

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

/** Who is killed beside these where libvirt looks after QEMU. Its daemon is started again at once. */
export const VICTIMS_OF_LIBVIRT = ['virsh', 'libvirtd', 'libvirtd and engine'] as const;

export type Victim = (typeof VICTIMS | typeof VICTIMS_OF_LIBVIRT)[number];

/** Kill it; answers whether it was there. The watchdog goes first, or it would do its work. */
export function strike(victim: Victim, { pid }: Running, world: CampaignWorld): boolean {
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
      for (const watcher of watchdogsOf(world.session.home)) kill(watcher);
      return kill(pid);
    case 'virsh':
      return kill(virshOf(world));
    case 'libvirtd':
      return world.libvirtd?.crash() ?? false;
    case 'libvirtd and engine': {
      const daemon = world.libvirtd?.crash() ?? false;
      return kill(pid) || daemon;
    }
  }
}

/** The virsh by which the command speaks to the world's libvirtd. */
function virshOf({ libvirtd }: CampaignWorld): number | null {
  if (!libvirtd) return null;
  return (
    pidsWhose(([program, ...words]) => program === 'virsh' && words.includes(libvirtd.uri))[0] ??
    null
  );
}

const kill = (pid: number | null): boolean => pid !== null && pid !== 0 && killed(pid);

/** A qemu-img or qemu-io at work on this world's images. */
export function toolOf({ root, session }: World): number | null {
  const heads = session.catalog.domain(DOMAIN)?.disks ?? [];
  const folders = [root, ...heads.map(({ head }) => dirname(head.path))];
  const tool = /(^|\/)qemu-(img|io)$/;
  const isAtWork = (argv: readonly string[]) =>
    tool.test(argv[0] ?? '') && argv.some(word => folders.some(folder => word.startsWith(folder)));
  return pidsWhose(isAtWork)[0] ?? null;
}
