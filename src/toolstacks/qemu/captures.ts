import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { z } from 'zod';
import type { Capture, DomainView } from '../port.ts';
import { burntBecause, queryModes } from './capture.ts';
import type { Life } from './life.ts';
import type { Query } from './query.ts';
import { queryMigrate } from './run-state.ts';

type Captures = DomainView['captures'];

const queryBackends: Query<{ id?: string | undefined; share: boolean }[]> = {
  command: 'query-memdev',
  schema: z.array(z.object({ id: z.string().optional(), share: z.boolean() })),
};

/** None of them, for one reason. */
export function noCaptures(why: string): Captures {
  const no = { works: false, why };
  return { background: no, precopy: no, paused: no };
}

/** Which ways to save memory work here. Only asks: what it cannot foresee, a capture says. */
export async function probeCaptures(life: Life, signal: AbortSignal): Promise<Captures> {
  const queries = [queryModes, queryMigrate, queryBackends] as const;
  const [modes, migration, backends] = await life.monitor.ask(queries, signal);
  const blocked = migration['blocked-reasons'] ?? [];
  if (blocked.length > 0) return noCaptures(blocked.join('; '));
  const has = (name: string) => modes.some(({ capability }) => capability === name);
  const version = life.monitor.version();
  const plain = has('pause-before-switchover')
    ? { works: true, why: '' }
    : { works: false, why: `QEMU ${version} cannot pause before the end of a migration` };
  const why = has('background-snapshot')
    ? (burntBecause(life) ?? sharedMemory(backends) ?? hostLacks())
    : `QEMU ${version} has no background snapshots`;
  const background = { works: why === null, why: why ?? '' };
  return { background, precopy: plain, paused: plain } satisfies Record<Capture, unknown>;
}

/** "Background-snapshot is not compatible with guest memory configuration" (qemu: ram.c). */
function sharedMemory(backends: readonly { id?: string | undefined; share: boolean }[]) {
  const shared = backends.find(({ share }) => share);
  return shared ? `the guest's memory ${shared.id ?? ''} is shared with other processes` : null;
}

/** userfaultfd(2): write-protection since Linux 5.7; for others than root only where it is allowed. */
function hostLacks(): string | null {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (major < 5 || (major === 5 && minor < 7))
    return 'the kernel cannot write-protect memory (5.7)';
  if (process.getuid?.() === 0) return null;
  try {
    const allowed = readFileSync('/proc/sys/vm/unprivileged_userfaultfd', 'utf8').trim();
    return allowed === '1'
      ? null
      : 'vm.unprivileged_userfaultfd is 0, and QEMU does not run as root';
  } catch {
    return 'the kernel has no userfaultfd';
  }
}
