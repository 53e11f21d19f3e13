import type { Catalog, Snapshot } from '../../src/catalog/model.ts';
import { COUNT_BLOCK, type GuestMemory } from './guest.ts';
import { type Content, digestOf } from './image-store.ts';
import type { World } from './world.ts';

/** What a snapshot held when it was published. */
interface Published {
  readonly snapshot: Snapshot;
  readonly contents: Readonly<Record<string, Content>>;
  readonly memory: string | null;
}

/** Remembers what every snapshot held when it became usable, apart from all images and records. */
export class Oracle {
  readonly #world: World;
  readonly #catalog: Catalog;
  readonly #published = new Map<string, Published>();

  constructor(world: World, catalog: Catalog) {
    this.#world = world;
    this.#catalog = catalog;
  }

  /** What this one remembers, for another world in which the same has happened. */
  fork(world: World, catalog: Catalog): Oracle {
    const other = new Oracle(world, catalog);
    for (const [operation, published] of this.#published)
      other.#published.set(operation, published);
    return other;
  }

  /** Look at the catalog after each record; what is usable for the first time is taken down. */
  look(domain: string): void {
    for (const snapshot of this.#catalog.snapshots(domain)) {
      if (snapshot.state !== 'usable' || this.#published.has(snapshot.operation)) continue;
      this.#published.set(snapshot.operation, {
        snapshot,
        contents: this.contentsOf(snapshot),
        memory: this.#memoryText(snapshot),
      });
    }
  }

  /** What a snapshot held, by device. */
  held(snapshot: Snapshot): Published | undefined {
    return this.#published.get(snapshot.operation);
  }

  /** What a snapshot's images hold now. */
  contentsOf({ disks }: Snapshot): Record<string, Content> {
    return Object.fromEntries(
      disks
        .filter(({ mode }) => mode !== 'none')
        .map(({ device, image, tag }) => [device, this.#world.store.content(image, tag)]),
    );
  }

  /** I3: every usable snapshot still holds, block for block, what it held when it was published. */
  changed(domain: string): string[] {
    return this.#catalog
      .snapshots(domain)
      .filter(({ state }) => state === 'usable')
      .flatMap(snapshot => {
        const then = this.held(snapshot);
        if (!then) return [`I3: ${snapshot.name} is usable, and nobody saw it published`];
        try {
          const faults: string[] = [];
          const now = JSON.stringify(this.contentsOf(snapshot));
          const before = JSON.stringify(then.contents);
          if (now !== before) faults.push(`I3: ${snapshot.name} held ${before}, now ${now}`);
          if (this.#memoryText(snapshot) !== then.memory) {
            faults.push(`I3: the memory of ${snapshot.name} has changed`);
          }
          return faults;
        } catch (error) {
          return [`I3: ${snapshot.name} cannot be read: ${String(error)}`];
        }
      });
  }

  /** I8: all disks of a snapshot, and its memory, are of one instant. */
  torn(domain: string): string[] {
    return this.#catalog
      .snapshots(domain)
      .filter(({ state, kind }) => state === 'usable' && kind === 'snapshot')
      .flatMap(snapshot => this.#tornOne(snapshot));
  }

  #tornOne(snapshot: Snapshot): string[] {
    const then = this.held(snapshot);
    if (!then) return [];
    const counts = Object.values(then.contents).map(content => content[COUNT_BLOCK] ?? 0);
    const say = (what: string) => [`I8: ${snapshot.name} (${counts}) ${what}`];
    if (then.memory !== null) {
      const { counter, written } = JSON.parse(then.memory) as GuestMemory;
      const expected = counts.map((_, n) => (n < written ? counter : counter - 1));
      const agree = expected.every((count, n) => count === counts[n]);
      return agree ? [] : say(`and its memory (${counter}, ${written}) are of different instants`);
    }
    const first = counts[0] ?? 0;
    const inOrder = counts.every((count, n) => n === 0 || count <= (counts[n - 1] ?? 0));
    const near = counts.every(count => first - count <= 1);
    return inOrder && near ? [] : say('are disks of different instants');
  }

  #memoryText({ memory }: Snapshot): string | null {
    if (!memory) return null;
    const file = this.#world.store.files.get(memory.path);
    if (file?.kind !== 'file') throw new Error(`${memory.path} is not there`);
    const { sha256 } = digestOf(file.text);
    if (sha256 !== memory.sha256) throw new Error(`${memory.path} is not what was recorded`);
    return file.text;
  }
}
