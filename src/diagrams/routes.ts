import type { DrawnEdge } from './lanes.ts';
import { FORWARD_WIDTH, GUTTER, type Layout, type PlacedNode } from './layout.ts';

/** A point of a line, in points; y grows downward. */
export type Point = readonly [x: number, y: number];

/** The corners of the line that an edge is drawn with. */
export interface Route {
  readonly points: readonly Point[];
  /** It ends on the line of another edge, which leads to the same node, and so has no arrow. */
  readonly joins: boolean;
}

/** A way over a rail: out on the right, along the upright, in on the left. */
interface Rail {
  readonly x: number;
  /** The height at which it comes in. */
  readonly y: number;
}

/** Two lines that meet one node come in this far apart. */
const APART = 13;

/**
 * The line of an edge. Edges of one meaning that lead to one node share a rail in the gutter, so
 * that they read as one bracket; no part of it is drawn twice, since dashes would then close up.
 */
export function routeOf(layout: Layout, edge: DrawnEdge): Route {
  const from = placed(layout, edge.from);
  const to = placed(layout, edge.to);
  const rail = railOf(layout, edge, from, to);
  if (rail) return railRoute(layout, edge, rail);
  if (edge.kind !== 'attention') return whole(upright(from, to));
  return whole(attentionRoute(layout, from, to));
}

/** The middle of the node that a state is drawn as. Throws where the layout has none. */
function placed({ nodes }: Layout, id: string): PlacedNode {
  const node = nodes.get(id);
  if (!node) throw new Error(`no place for the state ${id}`);
  return node;
}

const whole = (points: readonly Point[]): Route => ({ points, joins: false });
const rightOf = (box: PlacedNode): number => box.x + box.width / 2;
const leftOf = (box: PlacedNode): number => box.x - box.width / 2;
const topOf = (box: PlacedNode): number => box.y - box.height / 2;
const bottomOf = (box: PlacedNode): number => box.y + box.height / 2;

function railOf(
  layout: Layout,
  { to: target, kind }: DrawnEdge,
  from: PlacedNode,
  to: PlacedNode,
): Rail | undefined {
  const gutter = FORWARD_WIDTH / 2;
  switch (kind) {
    case 'back': {
      const x = target === 'rolledBack' ? leftOf(to) - 22 : gutter + 26;
      return { x, y: to.y };
    }
    case 'givenUp': {
      if (target === 'needsAttention') return { x: gutter + 62, y: to.y };
      // Beside failures from before the pivot, those from behind it come in lower.
      const shared = layout.lanes.edges.some(other => other.to === target && other.kind === 'back');
      return { x: gutter + 44, y: shared ? to.y + APART : to.y };
    }
    case 'undo':
      return from.x === to.x ? undefined : { x: leftOf(to) - GUTTER / 3, y: to.y + APART };
    default:
      return undefined;
  }
}

function railRoute(layout: Layout, edge: DrawnEdge, rail: Rail): Route {
  const from = placed(layout, edge.from);
  const to = placed(layout, edge.to);
  const out: Point = [rightOf(from), from.y];
  const way = Math.sign(rail.y - from.y);
  if (way === 0) return whole([out, [leftOf(to), rail.y]]);
  const others = layout.lanes.edges
    .filter(other => other.to === edge.to && other.kind === edge.kind && other.from !== edge.from)
    .map(other => placed(layout, other.from));
  const farther = others.some(other => (rail.y - other.y) * way > (rail.y - from.y) * way);
  if (farther) return { points: [out, [rail.x, from.y]], joins: true };
  const turn: Point[] = [out, [rail.x, from.y], [rail.x, rail.y]];
  if (others.some(other => other.y === rail.y)) return { points: turn, joins: true };
  return whole([...turn, [leftOf(to), rail.y]]);
}

function upright(from: PlacedNode, to: PlacedNode): Point[] {
  const x = from.x;
  const down = from.y < to.y;
  return [
    [x, down ? bottomOf(from) : topOf(from)],
    [x, down ? topOf(to) : bottomOf(to)],
  ];
}

function attentionRoute({ lanes, nodes, columns }: Layout, from: PlacedNode, to: PlacedNode) {
  const outside = columns.right - 14;
  const blocked = lanes.life.some(({ id }) => (nodes.get(id)?.y ?? 0) > from.y);
  if (from.node.liveness && !blocked) return upright(from, to);
  const y = from.node.liveness ? from.y + APART : from.y;
  const x = from.node.liveness ? rightOf(from) + GUTTER / 3 : outside;
  const line: Point[] = [
    [rightOf(from), y],
    [x, y],
    [x, topOf(to)],
  ];
  return line;
}
