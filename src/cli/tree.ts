import type { Snapshot } from '../catalog/model.ts';
import { FILLING_PERCENT } from '../storages/fullness.ts';
import { age, bytes, columns } from './format.ts';
import type { Style } from './output.ts';
import type { Sizes } from './sizes.ts';
import type { VolumeState } from './volume-states.ts';

/** What a tree is drawn of. */
export interface TreeInput {
  readonly domain: string;
  readonly current: string | null;
  readonly snapshots: readonly Snapshot[];
  readonly sizes: ReadonlyMap<string, Sizes>;
  /** By snapshot: what their volume manager says of its volumes. */
  readonly volumes?: ReadonlyMap<string, VolumeState> | undefined;
  /** The operation that nobody works on, and nobody has brought to its end. */
  readonly leftBy?: string | undefined;
  readonly nowMs: number;
}

/** null: the running head. */
type Node = Snapshot | null;
interface Row {
  readonly lanes: string;
  readonly node: Node;
}

/**
 * A domain's snapshots by parent, oldest first, with the place where the domain is now. The way to
 * that place runs straight down; what branches off it stands indented, before it goes on: so a long
 * history stays as narrow as a short one.
 */
export function renderTree(input: TreeInput, style: Style): string {
  const cells = rowsOf(input).map(({ lanes, node }) => {
    const lane = style('dim', lanes);
    if (!node) return [`${lane}${style('cyan', '◆ you are here')}`];
    return [`${lane}${nameOf(node, input, style)}`, ...facts(node, input, style)];
  });
  return [style('bold', input.domain), ...columns(cells)].join('\n');
}

/** Walks the forest without recursion: a chain of 10,000 snapshots is 10,000 levels deep. */
function rowsOf(input: TreeInput): Row[] {
  const { children, straight } = forest(input);
  const rows: Row[] = [];
  const stack: { node: Node | undefined; indent: string; branch: boolean }[] = [];
  const push = (below: readonly Node[], indent: string) => {
    const main = below.find(node => straight.has(node)) ?? below.at(-1);
    if (main !== undefined) stack.push({ node: main, indent, branch: false });
    for (const node of [...below].reverse()) {
      if (node !== main) stack.push({ node, indent, branch: true });
    }
  };
  push(children.get(null) ?? [], '');
  for (let entry = stack.pop(); entry; entry = stack.pop()) {
    const { node = null, indent, branch } = entry;
    rows.push({ lanes: branch ? `${indent}├─` : indent, node });
    if (node) push(children.get(node.name) ?? [], branch ? `${indent}│ ` : indent);
  }
  return rows;
}

/** The children of each name, and the way from the root to the running head. */
function forest({ snapshots, current }: TreeInput): {
  children: ReadonlyMap<string | null, Node[]>;
  straight: ReadonlySet<Node>;
} {
  const known = new Map(snapshots.map(snapshot => [snapshot.name, snapshot]));
  const children = new Map<string | null, Node[]>();
  const put = (parent: string | null, node: Node) => {
    // A parent that is gone must not take its children out of sight.
    const key = parent !== null && known.has(parent) ? parent : null;
    const siblings = children.get(key);
    if (siblings) siblings.push(node);
    else children.set(key, [node]);
  };
  for (const snapshot of snapshots) put(snapshot.parent, snapshot);
  put(current, null);
  const straight = new Set<Node>([null]);
  let at = current === null ? undefined : known.get(current);
  while (at && !straight.has(at)) {
    straight.add(at);
    at = at.parent === null ? undefined : known.get(at.parent);
  }
  return { children, straight };
}

function nameOf(
  { name, kind, memory, state }: Snapshot,
  { current, leftBy }: TreeInput,
  style: Style,
): string {
  const mark = kind === 'abandoned' ? '◌' : memory ? '●' : '○';
  const shown = `${mark} ${name === current ? style('bold', name) : name}`;
  const next = leftBy === undefined ? '' : ' → domsnap recover';
  if (state === 'dissolving') return `${shown} ${style('red', `(being deleted${next})`)}`;
  if (state === 'creating') return `${shown} ${style('yellow', `(being made${next})`)}`;
  return shown;
}

function facts(
  { name, createdAt, kind, state, consistency, memory }: Snapshot,
  { sizes, volumes, nowMs }: TreeInput,
  style: Style,
): string[] {
  // What it will be good for is not known before it is made.
  if (state === 'creating') return [age(nowMs - createdAt).padStart(6)];
  const { own = 0, shared = 0, missing = [] } = sizes.get(name) ?? {};
  const { usedPercent, broken } = volumes?.get(name) ?? { usedPercent: null, broken: null };
  return [
    age(nowMs - createdAt).padStart(6),
    kind === 'abandoned' ? style('dim', 'left behind') : memory ? 'checkpoint' : 'disk-only',
    // Memory goes without saying that nothing better is to be had.
    memory
      ? `memory ${bytes(memory.bytes)}`
      : consistency === 'crash-consistent'
        ? style('yellow', consistency)
        : consistency,
    `own ${bytes(own)}`,
    shared > 0 ? `shared ${bytes(shared)}` : '',
    broken !== null
      ? style('red', `unusable: ${broken}`)
      : missing.length > 0
        ? style('red', `${missing.length} missing`)
        : usedPercent === null
          ? ''
          : style(usedPercent >= FILLING_PERCENT ? 'red' : 'dim', `${usedPercent} % of its room`),
  ];
}
