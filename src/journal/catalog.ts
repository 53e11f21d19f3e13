import { type Catalog, CatalogChange, Domain, Snapshot } from '../catalog/model.ts';
import type { Json } from '../engine/json.ts';
import type { Database } from './database.ts';
import type { Projection } from './port.ts';

type Row = { body: string };

/** The catalog of a home folder. It lives beside the journal, so that one transaction covers both. */
export function sqliteCatalog({ sqlite, damaged }: Database): Catalog & Projection {
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
  const domainOf = ({ body }: Row) => parsed(Domain, 'a domain', body);
  const snapshotOf = ({ body }: Row) => parsed(Snapshot, 'a snapshot', body);
  const parsed = <T>(schema: { parse(value: unknown): T }, what: string, body: string): T => {
    try {
      return schema.parse(JSON.parse(body));
    } catch (cause) {
      throw damaged(`what it says of ${what} cannot be read`, cause);
    }
  };
  const domain = (name: string): Domain | undefined => {
    const row = statement.domain.get(name) as Row | undefined;
    return row && domainOf(row);
  };
  const put = (changed: Domain) => statement.addDomain.run(changed.name, JSON.stringify(changed));
  const update = (name: string, part: Partial<Domain>) => {
    const before = domain(name);
    if (!before) throw new Error(`no domain ${name}`);
    put({ ...before, ...part });
  };
  return {
    domain,
    domains: () => (statement.domains.all() as Row[]).map(domainOf),
    snapshot(name, snapshot) {
      const row = statement.snapshot.get(name, snapshot) as Row | undefined;
      return row && snapshotOf(row);
    },
    snapshots: name => (statement.snapshots.all(name) as Row[]).map(snapshotOf),
    apply(change: Json) {
      const told = CatalogChange.parse(change);
      switch (told.catalog) {
        case 'domain':
          put(told.domain);
          break;
        case 'dropDomain':
          statement.dropDomain.run(told.name);
          break;
        case 'heads':
          update(told.domain, { disks: told.disks });
          break;
        case 'current':
          update(told.domain, { current: told.current });
          break;
        case 'snapshot': {
          const { domain: of, name, parent, createdAt } = told.snapshot;
          statement.putSnapshot.run(of, name, parent, createdAt, JSON.stringify(told.snapshot));
          break;
        }
        case 'dropSnapshot':
          statement.dropSnapshot.run(told.domain, told.name);
          break;
      }
    },
  };
}
