import type { GraphNode, SagaGraph } from './graph.ts';
import { attentionCauses, type Lanes, lanesOf, recoveryOf } from './lanes.ts';
import { wrap } from './text.ts';

/** A rectangle by its centre, in points; y grows downward. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A node with its place and the lines of its small text. */
export interface PlacedNode extends Box {
  readonly node: GraphNode;
  readonly lines: readonly string[];
}

/** Where everything stands. */
export interface Layout {
  readonly lanes: Lanes;
  readonly nodes: ReadonlyMap<string, PlacedNode>;
  readonly columns: Columns;
  /** The middle of the gap behind the pivot, over the whole width. */
  readonly pivotY: number | undefined;
  readonly top: number;
  readonly bottom: number;
}

/** Centres of the columns and edges of the drawing, in points. The way forward stands at 0. */
export interface Columns {
  readonly life: number | undefined;
  readonly tidy: number;
  readonly left: number;
  readonly right: number;
}

export const FORWARD_WIDTH = 280;
export const UNDO_WIDTH = 230;
/** Between the columns there is room for this many points of rails. */
export const GUTTER = 76;
const ROW_GAP = 24;
const PIVOT_GAP = 30;
const HEADING_HEIGHT = 20;
const LINE_HEIGHT = 13;
const PADDING = 14;
/** Points per character of the small text, on average and a little wider. */
const CHARACTER = 5.1;

/** Place the nodes of a graph: one row for each step, its compensation beside it. */
export function layoutOf(graph: SagaGraph): Layout {
  const lanes = lanesOf(graph);
  const columns = columnsOf(lanes);
  const rowOf = rowsOf(lanes);
  const sized = graph.nodes.map(node => {
    const { x, width } = columnOf(columns, node);
    const lines = linesOf(graph, node, Math.floor((width - 2 * PADDING) / CHARACTER));
    const height = PADDING + HEADING_HEIGHT + LINE_HEIGHT * lines.length;
    return { node, x, width, lines, height, row: rowOf(node) };
  });
  const { centres, ...vertical } = stack(sized, lanes.pivot ? rowOf(lanes.pivot) : undefined);
  const nodes = sized.map(({ row, ...box }): [string, PlacedNode] => [
    box.node.id,
    { ...box, y: centres[row] ?? 0 },
  ]);
  return { lanes, nodes: new Map(nodes), columns, ...vertical };
}

/** The heights of the rows' middles, each row as high as its highest box. */
function stack(
  boxes: readonly { readonly row: number; readonly height: number }[],
  pivotRow: number | undefined,
): Pick<Layout, 'pivotY' | 'top' | 'bottom'> & { centres: readonly number[] } {
  const rowCount = Math.max(...boxes.map(({ row }) => row)) + 1;
  const centres: number[] = [];
  let edge = 0;
  let pivotY: number | undefined;
  for (let row = 0; row < rowCount; row += 1) {
    const height = Math.max(...boxes.filter(box => box.row === row).map(box => box.height));
    centres.push(edge + height / 2);
    edge += height;
    if (row === pivotRow) {
      pivotY = edge + (ROW_GAP + PIVOT_GAP) / 2;
      edge += PIVOT_GAP;
    }
    edge += ROW_GAP;
  }
  return { centres, pivotY, top: 0, bottom: edge - ROW_GAP };
}

function columnOf(columns: Columns, node: GraphNode): Pick<Box, 'x' | 'width'> {
  if (node.kind === 'forward' || node.id === 'committed') return { x: 0, width: FORWARD_WIDTH };
  if (node.id === 'needsAttention') {
    // As wide as the ways back are together, so that each of them ends on it straight.
    const left = (columns.life ?? columns.tidy) - UNDO_WIDTH / 2;
    return { x: (columns.right + left) / 2, width: columns.right - left };
  }
  return { x: node.liveness ? (columns.life ?? 0) : columns.tidy, width: UNDO_WIDTH };
}

function columnsOf({ life, windows }: Lanes): Columns {
  const second = FORWARD_WIDTH / 2 + GUTTER + UNDO_WIDTH / 2;
  const tidy = life.length > 0 ? second + UNDO_WIDTH + GUTTER : second;
  return {
    life: life.length > 0 ? second : undefined,
    tidy,
    left: -FORWARD_WIDTH / 2 - (windows.length > 0 ? 62 : 16),
    right: tidy + UNDO_WIDTH / 2 + 30,
  };
}

/**
 * The rows: `rolledBack` above the first step, since a run that ends there is back where it began;
 * the other two ends below the last. A compensation of liveness stands at the last step before the
 * pivot that may fail into it, so that the ways into it do not pass each other.
 */
function rowsOf({ forward, edges }: Lanes): (node: GraphNode) => number {
  const indexOf = (id: string | undefined) => forward.findIndex(node => node.id === id) + 1;
  return node => {
    if (node.id === 'rolledBack') return 0;
    if (node.kind === 'outcome') return forward.length + 1;
    if (node.kind === 'forward') return indexOf(node.id);
    if (!node.liveness) return indexOf(node.undoes);
    const sources = edges.filter(edge => edge.to === node.id && edge.kind === 'back');
    return Math.max(indexOf(node.undoes), ...sources.map(({ from }) => indexOf(from)));
  };
}

function linesOf(graph: SagaGraph, node: GraphNode, width: number): string[] {
  if (node.id === 'needsAttention') {
    return [
      ...wrap(`${node.says}, because ${attentionCauses(graph).join(', or ')}`, width),
      ...wrap(recoveryOf(graph), width),
    ];
  }
  const sentence = wrap(node.says, width);
  // A compensation of liveness does not stand beside its step.
  return node.liveness ? [...sentence, `(takes back ${node.undoes})`] : sentence;
}
