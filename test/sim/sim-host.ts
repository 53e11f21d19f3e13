import { type MemoryCatalog, memoryCatalog } from '../../src/catalog/memory.ts';
import type { Volume } from '../../src/catalog/model.ts';
import type { Who } from '../../src/engine/fact.ts';
import type { Lock, Locks } from '../../src/engine/lock.ts';
import { type MemoryJournal, memoryJournal } from '../../src/journal/memory.ts';
import { COUNT_BLOCK } from './guest.ts';
import { Oracle } from './oracle.ts';
import { World } from './world.ts';

/** A world with the books that are kept of it. */
export interface SimHost {
  readonly world: World;
  readonly catalog: MemoryCatalog;
  readonly journal: MemoryJournal;
  readonly oracle: Oracle;
  readonly locks: Locks;
}

export const DOMAIN = 'guest';
export const WHO: Who = { uid: 0, login: 'root', host: 'sim', pid: 1 };

/** A host with one domain that is off, its disks on complete images with content of their own. */
export function simHost(
  disks: readonly { readonly device: string; readonly head: Volume }[],
  seed = 1,
): SimHost {
  const world = new World(seed);
  const catalog = memoryCatalog();
  const journal = memoryJournal(catalog);
  disks.forEach(({ device, head }, n) => {
    world.store.makeImage(head, null);
    world.store.write(head, COUNT_BLOCK, 1);
    world.store.write(head, 6, 600 + n);
    world.store.write(head, 7, 700 + n);
    world.truth.set(device, [...world.store.content(head)]);
  });
  catalog.apply({
    catalog: 'domain',
    domain: {
      name: DOMAIN,
      toolstack: 'qemu',
      config: {},
      disks: disks.map(({ device, head }) => ({ device, head: { ...head } })),
      current: null,
      addedAt: world.clock.now(),
    },
  });
  journal.sync();
  return { world, catalog, journal, oracle: new Oracle(world, catalog), locks: simLocks() };
}

/** The same host at the same moment, with a chance and books of its own: what happens to it stays there. */
export function forkHost(from: SimHost, seed: number): SimHost {
  const world = from.world.fork(seed);
  const catalog = memoryCatalog();
  catalog.load(from.catalog.save());
  const oracle = from.oracle.fork(world, catalog);
  return { world, catalog, journal: memoryJournal(catalog), oracle, locks: simLocks() };
}

/** Boot the domain on the heads of the catalog, and let it run a while. */
export function bootDomain({ world, catalog }: SimHost, runState: 'running' | 'paused'): void {
  const disks = catalog.domain(DOMAIN)?.disks ?? [];
  const process = world.boot(
    disks.map(({ device, head }) => ({ device, volume: head })),
    null,
  );
  process.runState = 'running';
  world.clock.pass(170);
  process.runState = runState;
}

/** Locks in memory: nobody else is there, but a lock that is taken twice is a bug. */
function simLocks(): Locks {
  const held = new Set<string>();
  return {
    tryAcquire(subject): Lock | undefined {
      if (held.has(subject)) return undefined;
      held.add(subject);
      return { release: () => held.delete(subject) };
    },
  };
}
