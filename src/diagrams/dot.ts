import { headingLines, legendLines, pivotLines, windowLines } from './furniture.ts';
import type { SagaGraph } from './graph.ts';
import type { EdgeKind } from './lanes.ts';
import { type Layout, layoutOf, type PlacedNode } from './layout.ts';
import { arrowAlong, inked, lineAlong, place, quote } from './pen.ts';
import { type Route, routeOf } from './routes.ts';
import { headingOf } from './text.ts';
import { COLOURS, DASHED, EDGE_COLOURS, LOOKS, lookNameOf, METRICS_FONT } from './theme.ts';

/** A little air between a heading and its sentence. */
const SPACER = '<FONT POINT-SIZE="3"> </FONT>';

/** The drawing of a graph in the DOT language, every node and line in its place (for `neato -n2`). */
export function dotOf(graph: SagaGraph): string {
  const layout = layoutOf(graph);
  const font = `fontname=${quote(METRICS_FONT)}`;
  return [
    `digraph ${quote(graph.id)} {`,
    `graph [bgcolor=${quote(COLOURS.paper)}, outputorder=nodesfirst, pad=0.2, ${font}];`,
    `node [shape=box, style="filled,rounded", fixedsize=true, margin=0, ${font}];`,
    `edge [arrowsize=0.7, ${font}];`,
    ...windowLines(layout),
    ...headingLines(graph, layout),
    ...[...layout.nodes.values()].map(nodeLine),
    ...startLines(layout),
    ...layout.lanes.edges.map(edge =>
      edgeLine(edge.from, edge.to, edge.kind, routeOf(layout, edge)),
    ),
    ...pivotLines(layout),
    ...legendLines(layout),
    '}',
    '',
  ].join('\n');
}

function nodeLine(placed: PlacedNode): string {
  const { node, lines } = placed;
  const look = LOOKS[lookNameOf(node)];
  const colour = node.kind === 'outcome' ? look.text : COLOURS.sentence;
  const label = [
    inked(headingOf(node), { colour: look.text, size: 13, bold: true }),
    SPACER,
    ...lines.map(line => inked(line, { colour, size: 11 })),
  ].join('<BR/>');
  return `${quote(node.id)} [${place(placed)}, fillcolor="${look.fill}", color="${look.line}", penwidth=${look.lineWidth}, label=<${label}>];`;
}

function edgeLine(from: string, to: string, kind: EdgeKind, route: Route): string {
  const width = kind === 'onward' ? 1.6 : 1.1;
  const style = DASHED.has(kind) ? 'dashed' : 'solid';
  const line = route.joins
    ? `dir=none, pos="${lineAlong(route.points)}"`
    : `pos="${arrowAlong(route.points)}"`;
  return `${quote(from)} -> ${quote(to)} [color="${EDGE_COLOURS[kind]}", penwidth=${width}, style=${style}, ${line}];`;
}

/** The dot that a run begins at, level with the end that is the same as the beginning. */
function startLines({ lanes, nodes }: Layout): string[] {
  const first = nodes.get(lanes.forward[0]?.id ?? '');
  const level = nodes.get('rolledBack');
  if (!first || !level) return [];
  const dot = { x: first.x, y: level.y, width: 14, height: 14 };
  const points: Route['points'] = [
    [first.x, level.y + dot.height / 2],
    [first.x, first.y - first.height / 2],
  ];
  return [
    `"start" [${place(dot)}, shape=circle, style=filled, fillcolor="${COLOURS.ink}", color="${COLOURS.ink}", label=""];`,
    edgeLine('start', first.node.id, 'onward', { points, joins: false }),
  ];
}
