import type { Snapshot } from '../catalog/model.ts';
import type { Who } from '../engine/fact.ts';
import { FOREIGN, treeNow } from '../operations/foreign.ts';
import { knownDomain } from '../operations/known-domain.ts';
import type { Session } from '../operations/session.ts';
import { checkName } from '../plan/names.ts';
import { refuse } from '../plan/refusal.ts';
import { typed } from '../plan/typed.ts';
import { printable } from '../tools/printable.ts';
import { EXIT, type Exit } from './exit-codes.ts';
import { age, bytes, columns, localTime } from './format.ts';
import type { Invocation } from './invocation.ts';
import { seeing } from './newcomer.ts';
import { withReading } from './open-home.ts';
import { json, out, type Style, stylist } from './output.ts';
import { type Sizes, sizesOf } from './sizes.ts';
import { snapshotJson } from './snapshot-json.ts';
import { consistencyText } from './summary.ts';
import { type VolumeState, volumeStates } from './volume-states.ts';

/** What somebody typed is shown so far, and without what moves a terminal's cursor. */
const TEXT_MAX = 1_000;

interface Details {
  readonly snapshot: Snapshot;
  readonly children: readonly string[];
  readonly current: boolean;
  readonly sizes: Sizes;
  readonly volume: VolumeState | null;
  readonly by: Who | undefined;
  readonly nowMs: number;
}

/** `domsnap show`: everything that is known of one snapshot. */
export function show(call: Invocation, domainName: string, name: string): Promise<Exit> {
  checkName('snapshot', name);
  return withReading(call, async session => {
    const details = await detailsOf(await seeing(call, session, domainName), domainName, name);
    if (call.json) json(documentOf(details));
    else out(textOf(details, stylist(process.stdout)));
    return EXIT.done;
  });
}

async function detailsOf(session: Session, domainName: string, name: string): Promise<Details> {
  const { journal, clock } = session;
  const { domain, snapshots } = await treeNow(session, knownDomain(session, domainName));
  const snapshot = snapshots.find(other => other.name === name);
  if (!snapshot) {
    const hint = `${typed('list', domainName)} shows those it has`;
    throw refuse('unknown-snapshot', `${domainName} has no snapshot ${name}`, hint);
  }
  const [first] = journal.records(snapshot.operation);
  const all = sizesOf(domain, snapshots);
  return {
    snapshot,
    children: snapshots.filter(({ parent }) => parent === name).map(child => child.name),
    current: domain.current === name,
    sizes: all.get(name)!,
    volume: (await volumeStates(session, [snapshot])).get(name) ?? null,
    by: first?.fact.type === 'started' ? first.fact.who : undefined,
    nowMs: clock.now(),
  };
}

function documentOf({ snapshot, children, current, sizes, volume, by }: Details): object {
  const { own, shared, missing } = sizes;
  return {
    ok: true,
    domain: snapshot.domain,
    snapshot: { ...snapshotJson(snapshot), ownBytes: own, sharedBytes: shared, missing, volume },
    children,
    current,
    by: by ?? null,
  };
}

function textOf(
  { snapshot, children, current, sizes, volume, by, nowMs }: Details,
  style: Style,
): string {
  const { name, domain, createdAt, description, parent, disks, memory } = snapshot;
  const kind = snapshot.kind === 'abandoned' ? 'left behind by a revert' : 'snapshot';
  const states = {
    usable: '',
    creating: ', being made: not usable',
    dissolving: ', being deleted: not usable',
  };
  const rows: (readonly [string, string])[] = [
    ['made', `${localTime(createdAt)} (${age(nowMs - createdAt)} ago)`],
    [
      'by',
      by
        ? `${by.login || by.uid}@${by.host}${by.reason ? `: ${printable(by.reason, TEXT_MAX)}` : ''}`
        : '-',
    ],
    ['kind', `${kind}${states[snapshot.state]}`],
    ['consistency', consistencyText(snapshotJson(snapshot))],
    ['description', printable(description, TEXT_MAX) || '-'],
    ['parent', parent ?? '-'],
    ['children', [...children, ...(current ? ['◆ you are here'] : [])].join(', ') || '-'],
    ...disks.map(({ device, mode, image, tag }) => {
      const where = `${image.path} (${image.format})`;
      const text = { none: 'not part of it', internal: `${where}, tag ${tag}`, external: where };
      return [device, mode === 'none' ? text.none : `${mode}: ${text[mode]}`] as const;
    }),
    ['size', `own ${bytes(sizes.own)}, shared ${bytes(sizes.shared)}`],
    ...(memory ? memoryRows(memory) : []),
    ...(volume?.usedPercent == null ? [] : [['room', `${volume.usedPercent} % used`] as const]),
    ...(volume?.broken == null ? [] : [[style('red', 'unusable'), volume.broken] as const]),
    ...sizes.missing.map(path => [style('red', 'missing'), path] as const),
    [
      'operation',
      snapshot.operation === FOREIGN
        ? "none: another tool has made it, and domsnap has it from libvirt's records"
        : `${snapshot.operation}  (domsnap log --operation ${snapshot.operation})`,
    ],
  ];
  const lines = columns(rows.map(([key, value]) => [`  ${style('dim', key)}`, value]));
  return [style('bold', `${domain}: ${name}`), ...lines].join('\n');
}

function memoryRows({
  path,
  bytes: size,
  sha256,
  runState,
  capture,
}: NonNullable<Snapshot['memory']>): [string, string][] {
  const state = runState === 'running' ? 'of a running guest' : 'of a paused guest';
  return [
    ['memory', `${path} (${bytes(size)}, ${state}, saved by ${capture})`],
    ['sha256', sha256 || '-'],
  ];
}
