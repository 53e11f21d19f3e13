import { readFileSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { z } from 'zod';
import { printable } from '../../tools/printable.ts';
import { argvOf } from '../../tools/process.ts';
import type { Capture, DomainView } from '../port.ts';
import { burntBecause, queryModes } from './capture.ts';
import type { Life } from './life.ts';
import type { QemuProcess } from './process.ts';
import type { Query } from './query.ts';
import { queryMigrate } from './run-state.ts';

type Captures = DomainView['captures'];

interface Backend {
  readonly id?: string | undefined;
  readonly share: boolean;
}

const queryBackends: Query<Backend[]> = {
  command: 'query-memdev',
  schema: z.array(z.object({ id: z.string().optional(), share: z.boolean() })),
};

/** The devices with an id, by which they were made with the process or plugged in later. */
const queryPeripherals: Query<{ name: string; type: string }[]> = {
  command: 'qom-list',
  args: { path: '/machine/peripheral' },
  schema: z.array(z.object({ name: z.string(), type: z.string() })).max(10_000),
};

/** None of them, for one reason. */
export function noCaptures(why: string): Captures {
  const no = { works: false, why };
  return { background: no, precopy: no, paused: no };
}

/** Which ways to save memory work here. Only asks: what it cannot foresee, a capture says. */
export async function probeCaptures(life: Life, signal: AbortSignal): Promise<Captures> {
  const queries = [queryModes, queryMigrate, queryBackends, queryPeripherals] as const;
  const [modes, migration, backends, peripherals] = await life.monitor.ask(queries, signal);
  const blocked = migration['blocked-reasons'] ?? [];
  if (blocked.length > 0) return noCaptures(blocked.join('; '));
  const replugged = pluggedSince(life, peripherals);
  if (replugged) return noCaptures(replugged);
  const has = (name: string) => modes.some(({ capability }) => capability === name);
  const version = life.monitor.version();
  const plain = has('pause-before-switchover')
    ? { works: true, why: '' }
    : { works: false, why: `QEMU ${version} cannot pause before the end of a migration` };
  const why = has('background-snapshot')
    ? (burntBecause(life) ?? (await unprotectable(life, backends, signal)) ?? hostLacks(life))
    : `QEMU ${version} has no background snapshots`;
  const background = { works: why === null, why: why ?? '' };
  return { background, precopy: plain, paused: plain } satisfies Record<Capture, unknown>;
}

/**
 * Saved memory loads only into the very devices that it was saved of, and the next start makes those of
 * the arguments: QEMU 7.2 ends with "Unknown savevm section" when the old guest is gone already.
 */
function pluggedSince(
  { monitor }: Life,
  peripherals: readonly { name: string; type: string }[],
): string | null {
  const argv = argvOf(monitor.process()?.pid ?? -1);
  if (!argv) return null;
  const made = new Set(argv.flatMap((word, at) => (isDevice(argv[at - 1]) ? idOf(word) : [])));
  const now = peripherals.flatMap(({ name, type }) => (type.startsWith('child<') ? name : []));
  const plugged = now.find(id => !made.has(id));
  if (plugged) return `the device ${printable(plugged, 100)} was plugged in while it ran`;
  const unplugged = [...made].find(id => !now.includes(id));
  return unplugged ? `the device ${printable(unplugged, 100)} was unplugged while it ran` : null;
}

const isDevice = (word: string | undefined): boolean => word === '-device' || word === '--device';

/** The id among a device's properties, in either way to write them. */
function idOf(properties: string): string | [] {
  return (
    (/"id"\s*:\s*"([^"]+)"/.exec(properties) ?? /(?:^|,)id=([^,]+)/.exec(properties))?.[1] ?? []
  );
}

/**
 * Memory that others map too, such as a vhost-user daemon, changes behind QEMU's back, even where the
 * kernel can write-protect QEMU's mapping of it. Files are refused by QEMU itself ("not compatible
 * with guest memory configuration"; measured on 7.2, on ext4, shared or not).
 */
async function unprotectable(
  { monitor }: Life,
  backends: readonly Backend[],
  signal: AbortSignal,
): Promise<string | null> {
  const shared = backends.find(({ share }) => share);
  if (shared) return `the guest's memory ${shared.id ?? ''} is shared with other processes`;
  const ids = backends.flatMap(({ id }) => (id === undefined ? [] : [id]));
  const types = await monitor.try(
    ids.map(id => ({ command: 'qom-get', args: { path: `/objects/${id}`, property: 'type' } })),
    signal,
  );
  const files = types.some(answer => answer.ok && answer.value === 'memory-backend-file');
  return files ? "the guest's memory is a file" : null;
}

/** userfaultfd(2): write-protection since Linux 5.7; for others than root only where it is allowed. */
function hostLacks({ monitor }: Life): string | null {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (major < 5 || (major === 5 && minor < 7))
    return 'the kernel cannot write-protect memory (5.7)';
  if (userOf(monitor.process()) === 0) return null;
  try {
    const allowed = readFileSync('/proc/sys/vm/unprivileged_userfaultfd', 'utf8').trim();
    return allowed === '1'
      ? null
      : 'QEMU does not run as root, and vm.unprivileged_userfaultfd is 0 (sysctl)';
  } catch {
    return 'the kernel has no userfaultfd';
  }
}

/** The user that a process runs as; where it cannot be seen, ours, who has started it. */
function userOf(qemu: QemuProcess | null): number | undefined {
  try {
    return statSync(`/proc/${qemu?.pid ?? 'self'}`).uid;
  } catch {
    return process.getuid?.();
  }
}
