import type { Domain, Snapshot } from '../catalog/model.ts';
import { leftOpen, openOn } from '../operations/begun.ts';
import { treeNow } from '../operations/foreign.ts';
import { knownDomain } from '../operations/known-domain.ts';
import type { Session } from '../operations/session.ts';
import { typed } from '../plan/typed.ts';
import { EXIT, type Exit } from './exit-codes.ts';
import { age, columns } from './format.ts';
import type { Invocation } from './invocation.ts';
import { seeing } from './newcomer.ts';
import { withReading } from './open-home.ts';
import { json, out, stylist } from './output.ts';
import { sizesOf } from './sizes.ts';
import { snapshotJson } from './snapshot-json.ts';
import { renderTree } from './tree.ts';
import { volumeStates } from './volume-states.ts';

/** `domsnap list [domain]`: all domains with where they are, or the tree of one; `--tree`: of all. */
export function list(
  call: Invocation,
  name: string | undefined,
  { tree }: { readonly tree?: true | undefined },
): Promise<Exit> {
  return withReading(call, async session => {
    if (name !== undefined) {
      const seen = await seeing(call, session, name);
      await listDomain(call, seen, knownDomain(seen, name));
    } else if (tree) {
      for (const domain of session.catalog.domains()) await listDomain(call, session, domain);
    } else listAll(call, session);
    return EXIT.done;
  });
}

async function listDomain(call: Invocation, session: Session, known: Domain): Promise<void> {
  const { journal, clock } = session;
  const { domain, snapshots } = await treeNow(session, known);
  const sizes = sizesOf(domain, snapshots);
  const volumes = await volumeStates(session, snapshots);
  const { name, current } = domain;
  if (call.json) {
    const found = snapshots.map(snapshot => {
      const { own, shared, missing } = sizes.get(snapshot.name)!;
      const volume = volumes.get(snapshot.name) ?? null;
      return { ...snapshotJson(snapshot), ownBytes: own, sharedBytes: shared, missing, volume };
    });
    json({ ok: true, domain: name, current, snapshots: found });
    return;
  }
  if (snapshots.length === 0) {
    out(`${name} has no snapshots; ${typed('create', name)} makes one`);
    return;
  }
  const style = stylist(process.stdout);
  const left = openOn({ journal }, name);
  const leftBy = left && leftOpen({ journal }, left.id) ? left.id : undefined;
  const tree = { domain: name, current, snapshots, sizes, volumes, leftBy, nowMs: clock.now() };
  out(renderTree(tree, style));
}

function listAll(call: Invocation, { catalog, clock }: Session): void {
  const rows = catalog.domains().map(domain => {
    const snapshots = catalog.snapshots(domain.name);
    return { domain, count: snapshots.length, newest: newestOf(snapshots) };
  });
  if (call.json) {
    const domains = rows.map(({ domain, count, newest }) => ({
      name: domain.name,
      current: domain.current,
      snapshots: count,
      newest: newest ? { name: newest.name, createdAt: iso(newest.createdAt) } : null,
    }));
    json({ ok: true, domains });
    return;
  }
  if (rows.length === 0) {
    out(`there are no domains; 'domsnap domain add FILE' adds one`);
    return;
  }
  const style = stylist(process.stdout);
  const heading = ['DOMAIN', 'SNAPSHOTS', 'CURRENT', 'NEWEST', 'AGE'];
  const cells = rows.map(({ domain, count, newest }) => [
    style('bold', domain.name),
    String(count),
    domain.current ?? '-',
    newest?.name ?? '-',
    newest ? age(clock.now() - newest.createdAt) : '-',
  ]);
  out(columns([heading.map(title => style('dim', title)), ...cells]).join('\n'));
}

const newestOf = (snapshots: readonly Snapshot[]): Snapshot | undefined => snapshots.at(-1);
const iso = (at: number): string => new Date(at).toISOString();
