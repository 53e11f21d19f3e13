import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { thisProcess } from '../engine/who.ts';
import { addDomain } from '../operations/domains.ts';
import { openSession } from '../operations/open-session.ts';
import type { Session } from '../operations/session.ts';
import { createImageArgv } from '../tools/qemu-img-argv.ts';
import { run } from '../tools/run.ts';
import { DOMAIN } from './lab-guest.ts';
import { log } from './say.ts';

/** A domain of one tiny disk that is never started: for what needs no guest. */
export interface SmallDomain {
  readonly session: Session;
  readonly home: string;
  /** Where its monitor would listen. */
  readonly monitor: string;
  readonly disk: string;
}

/** Make it in a folder, which may not exist yet. */
export async function smallDomain(folder: string): Promise<SmallDomain> {
  mkdirSync(folder, { recursive: true });
  const disk = join(folder, 'disk.qcow2');
  const monitor = join(folder, 'qmp.sock');
  const home = join(folder, 'home');
  const image = { path: disk, format: 'qcow2', sizeBytes: 1 << 20 } as const;
  await run(createImageArgv(image), { timeoutMs: 60_000, log });
  const session = openSession({ home, who: thisProcess() });
  await addDomain(session, {
    name: DOMAIN,
    toolstack: 'qemu',
    config: {
      name: DOMAIN,
      binary: 'qemu-system-x86_64',
      arguments: ['-nodefaults', '-display', 'none'],
      disks: [{ device: 'vda', path: disk, format: 'qcow2', attach: 'virtio-blk-pci' }],
      monitor,
    },
    disks: [{ device: 'vda', head: { path: disk, format: 'qcow2' } }],
  });
  return { session, home, monitor, disk };
}
