import { dirname } from 'node:path';
import type { Domain, Snapshot, Volume } from '../catalog/model.ts';
import { StepError } from '../engine/step.ts';
import type { Images } from '../storages/port.ts';
import { identityOf, openFiles } from '../tools/file-facts.ts';
import { startOf } from './begun.ts';
import { withToolstack } from './run-request.ts';
import { freeContext, type Session } from './session.ts';

/** Which files this host needs, and who needs them: of all domains, since images may be shared. */
export interface ImageUse {
  /** Paths that records, open operations, images and running domains name. */
  readonly named: ReadonlyMap<string, string>;
  /** The same files by `device:inode`, and all that other processes have open. */
  readonly held: ReadonlyMap<string, string>;
  /** Domains that do not say which images they use. */
  readonly silent: ReadonlySet<string>;
  /** Folders in which images and memory lie. */
  readonly folders: ReadonlySet<string>;
}

/** A domain that does not answer within this time is one that does not say. */
const ASK_MS = 10_000;

/** Ask the catalog, the journal, the images' headers, the running domains and the kernel. */
export async function imageUse(session: Session): Promise<ImageUse> {
  const named = new Map<string, string>();
  const silent = new Set<string>();
  const folders = new Set<string>();
  const moment = session.images.atOneMoment();
  const name = (path: string, who: string) => {
    if (!named.has(path)) named.set(path, who);
  };
  for (const domain of session.catalog.domains()) {
    const snapshots = session.catalog.snapshots(domain.name);
    for (const [volume, who] of volumesOf(domain, snapshots)) {
      await nameChain(moment, volume, who, name);
    }
    for (const snapshot of snapshots) {
      if (snapshot.memory) name(snapshot.memory.path, whose(domain, snapshot));
    }
    // The domain file names the first heads; which ones are needed now, only the catalog knows.
    for (const path of pathsIn(domain.config)) folders.add(dirname(path));
    const live = await liveFiles(session, domain);
    if (!live) silent.add(domain.name);
    for (const path of live ?? []) name(path, `the running ${domain.name}`);
  }
  for (const path of named.keys()) folders.add(dirname(path));
  for (const { id } of session.journal.operations({ status: ['open', 'needsAttention'] })) {
    for (const path of pathsIn(startOf(session, id)?.input)) name(path, `the open operation ${id}`);
  }
  return { named, held: await heldFiles(named), silent, folders };
}

/** An image and all below it, as far as they can be read: also a base that is not there. */
async function nameChain(
  images: Images,
  volume: Volume,
  who: string,
  name: (path: string, who: string) => void,
): Promise<void> {
  const seen = new Set<string>();
  for (let next: Volume | null = volume; next && !seen.has(next.path); ) {
    const { path }: Volume = next;
    seen.add(path);
    name(path, seen.size === 1 ? who : `${who} (as a base)`);
    try {
      next = (await images.view(next, freeContext(), true)).backing;
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      return;
    }
  }
}

/** The images that a domain's records name, with who names each. */
export function volumesOf(domain: Domain, snapshots: readonly Snapshot[]): [Volume, string][] {
  return [
    ...domain.disks.map(({ device, head }): [Volume, string] => [
      head,
      `${device} of ${domain.name}`,
    ]),
    ...snapshots.flatMap(snapshot =>
      snapshot.disks
        .filter(({ mode }) => mode !== 'none')
        .map(({ image }): [Volume, string] => [image, whose(domain, snapshot)]),
    ),
  ];
}

const whose = ({ name: domain }: Domain, { name }: Snapshot): string =>
  `the snapshot ${name} of ${domain}`;

async function liveFiles(session: Session, { name }: Domain): Promise<string[] | undefined> {
  const context = freeContext(AbortSignal.timeout(ASK_MS));
  try {
    return await withToolstack(session, name, async toolstack =>
      (await toolstack.liveDisks(context)).flatMap(({ chain }) => chain.map(({ path }) => path)),
    );
  } catch (error) {
    if (error instanceof StepError) return undefined;
    throw error;
  }
}

async function heldFiles(named: ReadonlyMap<string, string>): Promise<Map<string, string>> {
  const held = new Map<string, string>();
  for (const [identity, pids] of openFiles()) held.set(identity, `process ${pids.join(', ')}`);
  for (const [path, who] of named) {
    const identity = await identityOf(path);
    if (identity !== undefined) held.set(identity, who);
  }
  return held;
}

/** Every absolute path that a value names. */
export function pathsIn(value: unknown): string[] {
  if (typeof value === 'string') return value.startsWith('/') ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(pathsIn);
}
