import type { GraphNode } from './graph.ts';
import type { EdgeKind } from './lanes.ts';

/** How a node looks; colours are dark on light, so that they print. */
export interface NodeLook {
  readonly fill: string;
  readonly line: string;
  readonly text: string;
  readonly lineWidth: number;
}

const look = (fill: string, line: string, text: string, lineWidth = 1.2): NodeLook => ({
  fill,
  line,
  text,
  lineWidth,
});

/** The looks of all nodes, by what a state is. */
export const LOOKS = {
  forward: look('#ffffff', '#64748b', '#0f172a'),
  pivot: look('#ede9fe', '#5b21b6', '#3b0764', 3),
  committed: look('#f0fdf4', '#4d8a63', '#14532d'),
  life: look('#fdf2f8', '#be185d', '#831843', 1.6),
  tidy: look('#f8fafc', '#94a3b8', '#334155'),
  outcomeCommitted: look('#15803d', '#15803d', '#ffffff'),
  outcomeRolledBack: look('#1d4ed8', '#1d4ed8', '#ffffff'),
  outcomeNeedsAttention: look('#b45309', '#b45309', '#ffffff'),
} as const satisfies Record<string, NodeLook>;

/** The colours of edges, by what they mean. */
export const EDGE_COLOURS: Readonly<Record<EdgeKind, string>> = {
  onward: '#0f172a',
  back: '#b91c1c',
  undo: '#475569',
  givenUp: '#b45309',
  attention: '#b45309',
};

/** Edges that leave the good way are dashed. */
export const DASHED: ReadonlySet<EdgeKind> = new Set(['back', 'givenUp', 'attention']);

export const COLOURS = {
  paper: '#ffffff',
  ink: '#0f172a',
  quiet: '#64748b',
  sentence: '#475569',
  window: '#dbeafe',
  windowLine: '#93c5fd',
  windowText: '#1e40af',
  pivot: '#5b21b6',
} as const;

/** The font whose widths Graphviz knows, and the fonts that a page shows instead: all as wide. */
export const METRICS_FONT = 'Arial';
export const FONT_STACK = "Helvetica, Arial, 'Liberation Sans', sans-serif";

/** The name under which a node's look is found. */
export function lookNameOf(node: GraphNode): keyof typeof LOOKS {
  if (node.kind === 'undo') return node.liveness ? 'life' : 'tidy';
  if (node.kind === 'forward') {
    if (node.pivot) return 'pivot';
    return node.committed ? 'committed' : 'forward';
  }
  if (node.id === 'committed') return 'outcomeCommitted';
  return node.id === 'rolledBack' ? 'outcomeRolledBack' : 'outcomeNeedsAttention';
}
