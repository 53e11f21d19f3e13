import { type Catalog, CatalogChange, Domain, Snapshot } from '../catalog/model.ts';
import type { Json } from '../engine/json.ts';
import type { Database } from './database.ts';
import type { Projection } from './port.ts';

type Row = { body: string };

/** The catalog of a home folder. It lives beside the journal, so that one transaction covers both. */
export function sqliteCatalog({ sqlite }: Database): Catalog & Projection {
  const statement = {
    domain: sqlite.prepare('SELECT body FROM domain WHERE name = ?'),
    domains: sqlite.prepare('SELECT body FROM domain ORDER BY name'),
    addDomain: sqlite.prepare(
      'INSERT INTO domain VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body',
    ),
    dropDomain: sqlite.prepare('DELETE FROM domain WHERE name = ?'),
    snapshot: sqlite.prepare('SELECT body FROM snapshot WHERE domain = ? AND name = ?'),
    snapshots: sqlite.prepare(
      'SELECT body FROM snapshot WHERE domain = ? ORDER BY created_at, name',
    ),
    putSnapshot: sqlite.prepare('INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?, ?)'),
    dropSnapshot: sqlite.prepare('DELETE FROM snapshot WHERE domain = ? AND name = ?'),
  };
  const domain = (name: string): Domain | undefined => {
    const row = statement.domain.get(name) as Row | undefined;
    return row && Domain.parse(JSON.parse(row.body));
  };
  const put = (changed: Domain) => statement.addDomain.run(changed.name, JSON.stringify(changed));
  const update = (name: string, part: Partial<Domain>) => {
    const before = domain(name);
    if (!before) throw new Error(`no domain ${name}`);
    put({ ...before, ...part });
  };
  return {
    domain,
    domains: () =>
      (statement.domains.all() as Row[]).map(row => Domain.parse(JSON.parse(row.body))),
    snapshot(name, snapshot) {
      const row = statement.snapshot.get(name, snapshot) as Row | undefined;
      return row && Snapshot.parse(JSON.parse(row.body));
    },
    snapshots: name =>
      (statement.snapshots.all(name) as Row[]).map(row => Snapshot.parse(JSON.parse(row.body))),
    apply(change: Json) {
      const parsed = CatalogChange.parse(change);
      switch (parsed.catalog) {
        case 'domain':
          put(parsed.domain);
          break;
        case 'dropDomain':
          statement.dropDomain.run(parsed.name);
          break;
        case 'heads':
          update(parsed.domain, { disks: parsed.disks });
          break;
        case 'current':
          update(parsed.domain, { current: parsed.current });
          break;
        case 'snapshot': {
          const { domain: of, name, parent, createdAt } = parsed.snapshot;
          statement.putSnapshot.run(of, name, parent, createdAt, JSON.stringify(parsed.snapshot));
          break;
        }
        case 'dropSnapshot':
          statement.dropSnapshot.run(parsed.domain, parsed.name);
          break;
      }
    },
  };
}
