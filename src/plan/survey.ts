import { dirname, join } from 'node:path';
import {
  type Catalog,
  type Domain,
  memoryFile,
  type Snapshot,
  type Volume,
} from '../catalog/model.ts';
import type { Images, ImageView } from '../storages/port.ts';
import type { DomainView, Toolstack } from '../toolstacks/port.ts';
import { type OtherUse, otherUses } from './other-use.ts';
import type { Refusal } from './refusal.ts';
import { typed } from './typed.ts';
import { misplacedVhds } from './vhd.ts';
import { chainOf, type ImageSources, walk } from './walk-images.ts';

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
  /** Where memory is saved of a domain that has no disk in a folder. */
  readonly memoryFolder: string;
  /** Bytes of the memory files that are there. */
  readonly memoryFiles: ReadonlyMap<string, number>;
  /** Foreign processes that hold a head of a domain that is off. */
  readonly holders: ReadonlyMap<string, readonly number[]>;
  /** Those of the domain's images that other domains need. */
  readonly usedElsewhere: ReadonlyMap<string, OtherUse>;
}

/** What a survey asks. */
export interface Sources extends ImageSources {
  readonly toolstack: Toolstack;
  readonly catalog: Catalog;
  /** domsnap's own folder on this host. */
  readonly home: string;
}

/** What a survey does not ask unless it has to: an agent is slow, and a host may have many images. */
export interface Depth {
  readonly agent: boolean;
  /** Ask also for what stands below the snapshots of other domains. */
  readonly everywhere?: boolean;
  /** Snapshots, and what lies below the heads, are to change: nobody else may have them open. */
  readonly rewrites?: boolean;
}

/** Ask the world everything that plans of this domain need. Changes nothing. */
export async function survey(
  sources: Sources,
  domain: Domain,
  operation: string,
  at: number,
  ask: Depth,
): Promise<Survey> {
  const { toolstack, images: store, catalog, context } = sources;
  const snapshots = catalog.snapshots(domain.name);
  const view = await toolstack.inspect(context, ask);
  const roots = [
    ...domain.disks.map(({ head }) => head),
    ...snapshots.flatMap(({ disks }) => disks.map(({ image }) => image)),
  ];
  const off = view.runState === 'off';
  let { moment, images, unreadable } = await imagesBelow(sources, roots);
  if (looksHeld(images, domain, off, ask.rewrites ?? false)) {
    await store.settle(context);
    ({ moment, images, unreadable } = await imagesBelow(sources, roots));
  }
  const paths = new Set([...images.keys(), ...roots.map(({ path }) => path)]);
  const memoryFolder = join(sources.home, 'memory');
  const free = await freeSpace(store, new Set([...paths].map(path => dirname(path))));
  return {
    at,
    operation,
    domain,
    snapshots,
    view,
    images,
    unreadable,
    // It is made when it is first needed, in the home folder.
    free: free.set(memoryFolder, await store.freeBytes(sources.home)),
    memoryFolder,
    memoryFiles: await memoryFiles(sources, snapshots),
    holders: off ? await holders(store, domain) : new Map(),
    usedElsewhere: await otherUses(
      { ...sources, images: moment },
      domain,
      paths,
      ask.everywhere ?? false,
    ),
  };
}

/** All images that these stand on, as of one moment, and by what others can be read as of the same. */
async function imagesBelow(sources: Sources, roots: readonly Volume[]) {
  const moment = sources.images.atOneMoment();
  const images = new Map<string, ImageView>();
  const unreadable = new Map<string, string>();
  for (const root of roots) {
    await walk({ images: moment, context: sources.context }, root, images, unreadable);
  }
  return { moment, images, unreadable };
}

/**
 * Whether somebody has volumes open that are to be nobody's for what is asked: it may be the host, which has a
 * look at each new one by itself.
 */
function looksHeld(
  images: ReadonlyMap<string, ImageView>,
  { disks }: Domain,
  off: boolean,
  rewrites: boolean,
): boolean {
  return [...images.values()].some(({ volume, manager }) => {
    if (!manager) return false;
    const needed = rewrites || disks.some(({ head }) => head.path === volume.path);
    return (off && needed && manager.open) || (rewrites && manager.snapshots.some(one => one.open));
  });
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
    const path = memoryFile(memory);
    if (path === undefined || !(await store.exists(path))) continue;
    const view = await store.view({ path, format: 'raw' }, context, true);
    files.set(path, view.virtualBytes);
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

/** What stands in the way of any operation on this domain. */
export function commonRefusals(facts: Survey): Refusal[] {
  const { domain, view, unreadable, holders } = facts;
  const refusals: Refusal[] = [];
  const say = (code: string, message: string, hint: string) =>
    refusals.push({ code, message, hint });
  if (view.runState === 'other') {
    say(
      'unsettled',
      `${domain.name} is in the state ${view.rawState}`,
      view.wayOut ?? 'wait until it runs, is paused or off',
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
    if (live?.strayed && writesTo === head.path) {
      say(
        'strayed-head',
        `${device} of ${domain.name} writes to ${writesTo}, and what looks after its QEMU has not heard of that`,
        `${typed('domain', 'stop', domain.name)} and ${typed('domain', 'start', domain.name)} tell it anew`,
      );
    }
    const next = view.configured.find(disk => disk.device === device)?.head.path;
    if (view.runState === 'off' && next !== undefined && next !== head.path) {
      say(
        'stale-head',
        `${device} of ${domain.name} is ${next} in its configuration, but is recorded on ${head.path}`,
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
    for (const base of chainOf(facts, head).slice(1)) {
      const reason = unreadable.get(base.path);
      if (reason) say('bad-base', `${device}: ${reason}`, `put ${base.path} back`);
    }
  }
  refusals.push(...misplacedVhds(facts));
  for (const job of view.jobs) {
    say(
      'foreign-job',
      `${domain.name} has the block job ${job.id} (${job.kind}, ${job.status}), which no open operation owns`,
      `let it end, or cancel it in the monitor; 'domsnap doctor ${domain.name}' says more`,
    );
  }
  return refusals;
}
