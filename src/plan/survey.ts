import { dirname } from 'node:path';
import type { Catalog, Domain, Snapshot, Volume } from '../catalog/model.ts';
import { StepError } from '../engine/step.ts';
import type { Images, ImageView } from '../storages/port.ts';
import type { CallContext, DomainView, Toolstack } from '../toolstacks/port.ts';
import type { Refusal } from './refusal.ts';

/** Everything that a plan is made of: the world as it was asked, once. Plans are pure from here on. */
export interface Survey {
  readonly at: number;
  readonly operation: string;
  readonly domain: Domain;
  readonly snapshots: readonly Snapshot[];
  readonly view: DomainView;
  /** All images that the domain's heads and snapshots stand on, by path. */
  readonly images: ReadonlyMap<string, ImageView>;
  /** Images that could not be read, with the reason. */
  readonly unreadable: ReadonlyMap<string, string>;
  /** Free bytes of the file systems, by folder. */
  readonly free: ReadonlyMap<string, number>;
  /** Bytes of the memory files that are there. */
  readonly memoryFiles: ReadonlyMap<string, number>;
  /** Foreign processes that hold a head of a domain that is off. */
  readonly holders: ReadonlyMap<string, readonly number[]>;
  /** Images that heads of other domains stand on, with those domains' names. */
  readonly usedElsewhere: ReadonlyMap<string, string>;
}

/** What a survey asks. */
export interface Sources {
  readonly toolstack: Toolstack;
  readonly images: Images;
  readonly catalog: Catalog;
  readonly context: CallContext;
}

/** Ask the world everything that plans of this domain need. Changes nothing. */
export async function survey(
  sources: Sources,
  domain: Domain,
  operation: string,
  at: number,
  ask: { readonly agent: boolean },
): Promise<Survey> {
  const { toolstack, images: store, catalog, context } = sources;
  const snapshots = catalog.snapshots(domain.name);
  const view = await toolstack.inspect(context, ask);
  const images = new Map<string, ImageView>();
  const unreadable = new Map<string, string>();
  const roots = [
    ...domain.disks.map(({ head }) => head),
    ...snapshots.flatMap(({ disks }) => disks.map(({ image }) => image)),
  ];
  for (const root of roots) await walk(sources, root, images, unreadable);
  const paths = [...images.keys(), ...roots.map(({ path }) => path)];
  return {
    at,
    operation,
    domain,
    snapshots,
    view,
    images,
    unreadable,
    free: await freeSpace(store, new Set(paths.map(dirname))),
    memoryFiles: await memoryFiles(sources, snapshots),
    holders: view.runState === 'off' ? await holders(store, domain) : new Map(),
    usedElsewhere: await usedElsewhere(sources, domain),
  };
}

async function walk(
  { images: store, context }: Sources,
  root: Volume,
  images: Map<string, ImageView>,
  unreadable: Map<string, string>,
): Promise<void> {
  const walked = new Set<string>();
  let next: Volume | null = root;
  while (next && !images.has(next.path) && !unreadable.has(next.path)) {
    const { path } = next;
    try {
      const view: ImageView = await store.view(next, context, true);
      images.set(path, view);
      walked.add(path);
      next = view.backing;
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      unreadable.set(path, error.message);
      return;
    }
  }
  if (next && walked.has(next.path)) {
    unreadable.set(root.path, `${root.path} stands on a ring of images`);
  }
}

async function freeSpace(
  store: Images,
  folders: ReadonlySet<string>,
): Promise<Map<string, number>> {
  const free = new Map<string, number>();
  for (const folder of folders) {
    if (await store.exists(folder)) free.set(folder, await store.freeBytes(folder));
  }
  return free;
}

async function memoryFiles(
  { images: store, context }: Sources,
  snapshots: readonly Snapshot[],
): Promise<Map<string, number>> {
  const files = new Map<string, number>();
  for (const { memory } of snapshots) {
    if (!memory || !(await store.exists(memory.path))) continue;
    const view = await store.view({ path: memory.path, format: 'raw' }, context, true);
    files.set(memory.path, view.virtualBytes);
  }
  return files;
}

async function holders(store: Images, domain: Domain): Promise<Map<string, readonly number[]>> {
  const found = new Map<string, readonly number[]>();
  for (const { head } of domain.disks) {
    const pids = await store.openedBy(head.path);
    if (pids.length > 0) found.set(head.path, pids);
  }
  return found;
}

async function usedElsewhere(sources: Sources, domain: Domain): Promise<Map<string, string>> {
  const used = new Map<string, string>();
  for (const other of sources.catalog.domains()) {
    if (other.name === domain.name) continue;
    const images = new Map<string, ImageView>();
    for (const { head } of other.disks) await walk(sources, head, images, new Map());
    for (const path of images.keys()) used.set(path, other.name);
  }
  return used;
}

/** What stands in the way of any operation on this domain. */
export function commonRefusals({ domain, view, unreadable, holders, ...rest }: Survey): Refusal[] {
  const refusals: Refusal[] = [];
  const say = (code: string, message: string, hint: string) =>
    refusals.push({ code, message, hint });
  if (view.runState === 'other') {
    say(
      'unsettled',
      `${domain.name} is in the state ${view.rawState}`,
      'wait until it runs, is paused or off',
    );
  }
  for (const { device, head } of domain.disks) {
    const live = view.disks.find(disk => disk.device === device);
    const writesTo = live?.chain[0]?.path;
    if (view.runState !== 'off' && writesTo !== head.path) {
      say(
        'stale-head',
        `${device} of ${domain.name} writes to ${writesTo ?? 'no image'}, but is recorded on ${head.path}`,
        `'domsnap doctor ${domain.name}' says which of the two is right, and what to do`,
      );
    }
    const why = unreadable.get(head.path);
    if (why) say('bad-disk', `${device}: ${why}`, 'put the image back, or correct the domain file');
    const pids = holders.get(head.path);
    if (pids) {
      say(
        'in-use',
        `${device}: ${head.path} is open in process ${pids.join(', ')}, while ${domain.name} is off`,
        'end that process; two writers destroy an image',
      );
    }
    for (const base of chainOf({ images: rest.images }, head).slice(1)) {
      const reason = unreadable.get(base.path);
      if (reason) say('bad-base', `${device}: ${reason}`, `put ${base.path} back`);
    }
  }
  for (const job of view.jobs) {
    say(
      'foreign-job',
      `${domain.name} has the block job ${job.id} (${job.kind}, ${job.status}), which no open operation owns`,
      `let it end, or cancel it in the monitor; 'domsnap doctor ${domain.name}' says more`,
    );
  }
  return refusals;
}

/** An image and its bases as far as they were surveyed, head first. */
export function chainOf({ images }: Pick<Survey, 'images'>, head: Volume): Volume[] {
  const chain: Volume[] = [];
  for (
    let volume: Volume | null = head;
    volume;
    volume = images.get(volume.path)?.backing ?? null
  ) {
    chain.push(volume);
    if (chain.length > CHAIN_MAX) break;
  }
  return chain;
}

/** No sane chain is longer; a loop of backing files would be. */
const CHAIN_MAX = 1_000;
