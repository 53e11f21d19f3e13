import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { Domain } from '../../src/catalog/model.ts';
import { thisProcess } from '../../src/engine/who.ts';
import { addDomain, startDomain, stopDomain } from '../../src/operations/domains.ts';
import { openSession } from '../../src/operations/open-session.ts';
import { runRequest } from '../../src/operations/run-request.ts';
import type { Session } from '../../src/operations/session.ts';
import type { Request } from '../../src/plan/request.ts';
import { run } from '../../src/tools/run.ts';
import { startArgv } from '../../src/toolstacks/qemu/argv.ts';
import { QemuDomainConfig } from '../../src/toolstacks/qemu/domain-config.ts';
import { parseDomainFile } from '../../src/toolstacks/qemu/domain-file.ts';
import { bootSector } from '../counting-guest.ts';
import { readDisks, readSnapshot, type SnapshotContent } from './content.ts';
import { tools } from './tools.ts';

/** How snapshots hold the two disks: both in overlays, both in tags, or one in each. */
export const STORAGES = ['overlay', 'internal', 'mixed'] as const;
export type Storage = (typeof STORAGES)[number];

/**
 * What a domain has been through before its case: nothing but one disk-only snapshot `one`; or a
 * checkpoint `mem`, on it `one`, on that `two` and, on a branch of its own that the heads are on, `side`.
 * `shared`: as `single`, and memory that others may map, which is saved by pre-copy.
 */
export const SHAPES = ['single', 'tree', 'shared'] as const;
export type Shape = (typeof SHAPES)[number];

/** What a history left, as a user would know it. */
export interface History {
  readonly snapshots: ReadonlyMap<string, SnapshotContent>;
  readonly parents: ReadonlyMap<string, string | null>;
  readonly heads: SnapshotContent['disks'];
  /** The ids of the operations that made it. */
  readonly operations: ReadonlySet<string>;
  /** How the domain is started in a lab host, where it takes a third of the time without domsnap. */
  readonly start: readonly string[];
}

/** The name of the domain in every history. */
export const DOMAIN = 'web';

/** What is asked of a create. */
export const disksOf = {
  overlay: { disks: 'external' },
  internal: { disks: 'internal' },
  mixed: { disk: { vda: 'internal', vdb: 'external' } },
} as const satisfies Record<Storage, object>;

const DISK_BYTES = 4 * 1024 * 1024;
const CLUSTER_KIB = 64;

/** Make a domain with a history in an empty folder: the same content under emulation and without (4 s). */
export async function makeHistory(data: string, storage: Storage, shape: Shape): Promise<History> {
  const home = join(data, 'home');
  await mkdir(home, { recursive: true, mode: 0o700 });
  const folder = join(data, 'images');
  await mkdir(folder, { mode: 0o700 });
  const session = openSession({ home, who: thisProcess(), watchdog: null });
  try {
    await makeDomain(session, folder, storage, shape);
    await write(session, 0);
    const create = (name: string, memory: 'live' | 'none') =>
      does(session, { operation: 'create', domain: DOMAIN, name, memory, ...disksOf[storage] });
    if (shape !== 'tree') {
      await create('one', 'none');
      await write(session, 1);
    } else {
      await startDomain(session, DOMAIN, {});
      await sleep(1500);
      await create('mem', 'live');
      await stopDomain(session, DOMAIN, {});
      await write(session, 1);
      await create('one', 'none');
      await write(session, 2);
      await create('two', 'none');
      await write(session, 3);
      await does(session, { operation: 'revert', domain: DOMAIN, name: 'one', runAfter: 'off' });
      await write(session, 4);
      await create('side', 'none');
      await write(session, 5);
    }
    return await historyOf(session);
  } finally {
    session.close();
  }
}

async function historyOf({ catalog, journal }: Session): Promise<History> {
  const snapshots = new Map<string, SnapshotContent>();
  const parents = new Map<string, string | null>();
  for (const snapshot of catalog.snapshots(DOMAIN)) {
    snapshots.set(snapshot.name, await readSnapshot(snapshot));
    parents.set(snapshot.name, snapshot.parent);
  }
  const heads = catalog.domain(DOMAIN)!.disks.map(({ device, head }) => ({ device, image: head }));
  const operations = new Set(journal.operations({}).map(({ id }) => id));
  return {
    snapshots,
    parents,
    heads: await readDisks(heads),
    operations,
    start: startOf(catalog.domain(DOMAIN)!),
  };
}

/** As the toolstack starts it, with the home where the unit has it. */
function startOf({ config, disks }: Domain): readonly string[] {
  return startArgv(QemuDomainConfig.parse(config), {
    heads: disks.map(({ device, head }) => ({ device, volume: head })),
    paused: false,
    incoming: false,
    pidFile: `/var/lib/domsnap/run/${DOMAIN}.pid`,
    isBlockDevice: () => false,
  });
}

async function does(session: Session, request: Request): Promise<void> {
  const { outcome, failures } = await runRequest(session, request, {});
  if (outcome === 'committed') return;
  throw new Error(`${request.operation} ${request.name}: ${outcome} ${JSON.stringify(failures)}`);
}

async function makeDomain(
  session: Session,
  folder: string,
  storage: Storage,
  shape: Shape,
): Promise<void> {
  const formats = { vda: 'qcow2', vdb: storage === 'internal' ? 'qcow2' : 'raw' };
  for (const [device, format] of Object.entries(formats)) {
    const content = Buffer.alloc(DISK_BYTES);
    if (device === 'vda') bootSector().copy(content);
    const raw = join(folder, 'raw');
    await writeFile(raw, content);
    const image = join(folder, `${device}.${format}`);
    await exec('qemu-img', 'convert', '-f', 'raw', '-O', format, raw, image);
    await exec('rm', raw);
    await exec('chmod', '600', image);
  }
  const shared = 'memory-backend-memfd,id=ram,size=32M,share=on';
  const text = stringify({
    name: DOMAIN,
    binary: 'qemu-system-x86_64',
    arguments: [
      ...['-accel', 'tcg', '-m', '32', '-nodefaults', '-no-user-config', '-display', 'none'],
      ...(shape === 'shared'
        ? ['-object', shared, '-machine', 'pc,memory-backend=ram']
        : ['-machine', 'pc']),
    ],
    disks: Object.entries(formats).map(([device, format]) => ({
      device,
      path: `./${device}.${format}`,
      format,
    })),
    monitor: '../qmp.sock',
  });
  const config = parseDomainFile(text, folder);
  const disks = config.disks.map(({ device, path, format }) => ({
    device,
    head: { path, format },
  }));
  await addDomain(session, { name: DOMAIN, toolstack: 'qemu', config, disks });
}

/** Write a generation's pattern to the heads of a domain that is off: some clusters, some of them again. */
async function write({ catalog }: Session, generation: number): Promise<void> {
  for (const { device, head } of catalog.domain(DOMAIN)!.disks) {
    const first = device === 'vda' ? 1 : 2;
    const clusters =
      generation === 0
        ? [{ at: 1, count: 24 }]
        : Array.from({ length: 6 }, (_, index) => ({
            at: first + ((generation * 5 + index * 7) % 40),
            count: 1,
          }));
    const commands = clusters.flatMap(({ at, count }) => [
      '-c',
      `write -q -P ${16 + generation * 16 + first} ${at * CLUSTER_KIB}k ${count * CLUSTER_KIB}k`,
    ]);
    await exec('qemu-io', '-f', head.format, ...commands, '-c', 'flush', head.path);
  }
}

async function exec(...argv: [string, ...string[]]): Promise<void> {
  await run(argv, { timeoutMs: 60_000, ...tools });
}
