import type { Json } from '../engine/json.ts';
import type { Projection } from '../journal/port.ts';
import { type Catalog, CatalogChange, type Domain, type Snapshot } from './model.ts';

/** A catalog in memory, for simulation and dry runs. */
export interface MemoryCatalog extends Catalog, Projection {
  save(): unknown;
  load(saved: unknown): void;
}

/** Make an empty catalog. */
export function memoryCatalog(): MemoryCatalog {
  let domains = new Map<string, Domain>();
  let snapshots = new Map<string, Snapshot>();
  const key = (domain: string, name: string) => `${domain}/${name}`;
  const update = (name: string, part: Partial<Domain>) => {
    const domain = domains.get(name);
    if (!domain) throw new Error(`no domain ${name}`);
    domains.set(name, { ...domain, ...part });
  };
  return {
    domain: name => domains.get(name),
    domains: () => [...domains.values()],
    snapshot: (domain, name) => snapshots.get(key(domain, name)),
    snapshots: domain =>
      [...snapshots.values()]
        .filter(snapshot => snapshot.domain === domain)
        .sort((a, b) => a.createdAt - b.createdAt),
    apply(change: Json) {
      const parsed = CatalogChange.parse(change);
      switch (parsed.catalog) {
        case 'domain':
          domains.set(parsed.domain.name, parsed.domain);
          break;
        case 'dropDomain':
          domains.delete(parsed.name);
          break;
        case 'heads':
          update(parsed.domain, { disks: parsed.disks });
          break;
        case 'current':
          update(parsed.domain, { current: parsed.current });
          break;
        case 'snapshot':
          snapshots.set(key(parsed.snapshot.domain, parsed.snapshot.name), parsed.snapshot);
          break;
        case 'dropSnapshot':
          snapshots.delete(key(parsed.domain, parsed.name));
          break;
      }
    },
    // Domains and snapshots are replaced, never changed: whoever holds one may keep it.
    save: () => ({ domains: new Map(domains), snapshots: new Map(snapshots) }),
    load(saved) {
      const then = saved as { domains: typeof domains; snapshots: typeof snapshots };
      domains = new Map(then.domains);
      snapshots = new Map(then.snapshots);
    },
  };
}
