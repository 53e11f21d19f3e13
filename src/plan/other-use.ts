import type { Catalog, Domain } from '../catalog/model.ts';
import type { ImageView } from '../storages/port.ts';
import type { Refusal } from './refusal.ts';
import type { Survey } from './survey.ts';
import { chainOf, type ImageSources, walk } from './walk-images.ts';

/** An image that another domain needs. */
export interface OtherUse {
  /** `vda of web2`, `the snapshot nightly of web2`. */
  readonly who: string;
  /** The other domain writes to it. */
  readonly writes: boolean;
}

/**
 * Which of these images other domains need, as a head, a snapshot, or below one. By the file, not by its
 * name: there may be links. `everywhere`: read also what stands below the snapshots.
 */
export async function otherUses(
  sources: ImageSources & { readonly catalog: Catalog },
  domain: Domain,
  paths: Iterable<string>,
  everywhere: boolean,
): Promise<Map<string, OtherUse>> {
  const { images, catalog } = sources;
  const others = catalog.domains().filter(({ name }) => name !== domain.name);
  const uses = new Map<string, OtherUse>();
  for (const other of others) await namesOf(sources, other, everywhere, uses);
  if (uses.size === 0) return new Map();
  const files = new Map<string, OtherUse>();
  for (const [path, use] of uses) {
    const file = await images.identity(path);
    if (file !== undefined && (use.writes || !files.has(file))) files.set(file, use);
  }
  const found = new Map<string, OtherUse>();
  for (const path of paths) {
    const use = files.get((await images.identity(path)) ?? '') ?? uses.get(path);
    if (use) found.set(path, use);
  }
  return found;
}

async function namesOf(
  sources: ImageSources & { readonly catalog: Catalog },
  other: Domain,
  everywhere: boolean,
  uses: Map<string, OtherUse>,
): Promise<void> {
  const { catalog } = sources;
  const seen = new Map<string, ImageView>();
  const name = (paths: Iterable<string>, who: string) => {
    for (const path of paths) if (!uses.has(path)) uses.set(path, { who, writes: false });
  };
  const snapshots = catalog.snapshots(other.name).map(snapshot => ({
    who: `the snapshot ${snapshot.name} of ${other.name}`,
    held: snapshot.disks.filter(({ mode }) => mode !== 'none').map(({ image }) => image),
  }));
  // Who names a file itself ranks above who stands on it.
  for (const { device, head } of other.disks) {
    uses.set(head.path, { who: `${device} of ${other.name}`, writes: true });
  }
  for (const { who, held } of snapshots) {
    const paths = held.map(({ path }) => path);
    name(paths, who);
  }
  for (const { device, head } of other.disks) {
    await walk(sources, head, seen, new Map());
    name(seen.keys(), `${device} of ${other.name}`);
  }
  for (const { who, held } of everywhere ? snapshots : []) {
    for (const image of held) await walk(sources, image, seen, new Map());
    name(seen.keys(), who);
  }
}

/** A domain must not write to what another one needs, nor stand on what another one writes to. */
export function sharedImages(facts: Survey): Refusal[] {
  const { domain, usedElsewhere } = facts;
  return domain.disks.flatMap(({ device, head }) => {
    const hint = `give ${domain.name} an image of its own there: an overlay over a base that nobody writes to, or a copy`;
    const use = usedElsewhere.get(head.path);
    if (use) {
      const message = `${device}: ${head.path} is needed by ${use.who}, and ${domain.name} would write to it`;
      return [{ code: 'shared-head', message, hint }];
    }
    return chainOf(facts, head).flatMap(({ path }) => {
      const other = usedElsewhere.get(path);
      if (!other?.writes) return [];
      const message = `${device}: ${domain.name} stands on ${path}, to which ${other.who} writes`;
      return [{ code: 'shared-base', message, hint }];
    });
  });
}
