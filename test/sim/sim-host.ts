import { type MemoryCatalog, memoryCatalog } from '../../src/catalog/memory.ts';
import type { Volume } from '../../src/catalog/model.ts';
import type { Who } from '../../src/engine/fact.ts';
import type { Lock, Locks } from '../../src/engine/lock.ts';
import { type MemoryJournal, memoryJournal } from '../../src/journal/memory.ts';
import { COUNT_BLOCK } from './guest.ts';
import { Oracle } from './oracle.ts';
import { Power } from './power.ts';
import { type Process, World } from './world.ts';

/** A world with the books that are kept of it. */
export interface SimHost {
  readonly domain: string;
  readonly world: World;
  readonly power: Power;
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
  const catalog = memoryCatalog();
  const journal = memoryJournal(catalog);
  const books = { catalog, journal, locks: simLocks(), power: new Power(journal) };
  return addDomain(books, DOMAIN, disks, new World(seed));
}

/** The books of a host, and its engines. */
export type Books = Pick<SimHost, 'catalog' | 'journal' | 'locks' | 'power'>;

/** Add a domain that is off, in a part of the host's world of its own. */
export function addDomain(
  books: Books,
  name: string,
  disks: readonly { readonly device: string; readonly head: Volume }[],
  world: World,
): SimHost {
  const { catalog, journal } = books;
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
      name,
      toolstack: 'qemu',
      config: {},
      disks: disks.map(({ device, head }) => ({ device, head: { ...head } })),
      current: null,
      addedAt: world.clock.now(),
    },
  });
  journal.sync();
  return { ...books, domain: name, world, oracle: new Oracle(world, catalog) };
}

/** The same host at the same moment, with a chance and books of its own: what happens to it stays there. */
export function forkHost(from: SimHost, seed: number): SimHost {
  const world = from.world.fork(seed);
  const catalog = memoryCatalog();
  catalog.load(from.catalog.save());
  const oracle = from.oracle.fork(world, catalog);
  const journal = memoryJournal(catalog);
  const power = new Power(journal);
  return { domain: from.domain, world, power, catalog, journal, oracle, locks: simLocks() };
}

/** Boot the domain on the heads of the catalog, and let it run a while. */
export function bootDomain(host: SimHost, runState: 'running' | 'paused'): void {
  const process = bootPaused(host);
  process.runState = 'running';
  host.world.clock.pass(170);
  process.runState = runState;
}

/** Boot the domain on the heads of the catalog; it stands still. */
export function bootPaused({ world, catalog, domain }: SimHost): Process {
  const disks = catalog.domain(domain)?.disks ?? [];
  return world.boot(
    disks.map(({ device, head }) => ({ device, volume: head })),
    null,
  );
}

/** Locks in memory: nobody else is there, but a lock that is taken twice is a bug. */
export function simLocks(): Locks {
  const held = new Set<string>();
  return {
    tryAcquire(subject): Lock | undefined {
      if (held.has(subject)) return undefined;
      held.add(subject);
      return { release: () => held.delete(subject) };
    },
  };
}
