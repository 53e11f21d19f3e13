import type { GraphNode, SagaGraph } from './graph.ts';
import { attentionCauses, type DrawnEdge, type Lanes, lanesOf, recoveryOf } from './lanes.ts';
import { escapeXml, headingOf, wrap } from './text.ts';
import { COLOURS, DASHED, EDGE_COLOURS, LOOKS, lookNameOf } from './theme.ts';

const WIDTH = 44;
const PIVOT_LINE = 'pivotLine';

/** A line of the diagram; Mermaid colours lines by their number. */
interface Link {
  readonly text: string;
  readonly colour: string;
}

/** The diagram of a machine as a Mermaid flowchart, as GitHub renders it inside Markdown. */
export function mermaidOf(graph: SagaGraph): string {
  const lanes = lanesOf(graph);
  const links = linksOf(graph, lanes);
  return [
    `%% ${graph.id}, version ${graph.version}: ${graph.title}`,
    'flowchart TB',
    ...classLines(),
    '  start(( )):::start',
    ...forwardLines(lanes),
    ...group('the guest first', 'life', lanes.life),
    ...[...lanes.tidy, ...graph.nodes.filter(node => node.kind === 'outcome')].map(node =>
      nodeLine(node, graph),
    ),
    ...links.map(({ text }) => `  ${text}`),
    ...linkStyles(links),
    '',
  ].join('\n');
}

function classLines(): string[] {
  const looks = Object.entries(LOOKS).map(
    ([name, { fill, line, text, lineWidth }]) =>
      `  classDef ${name} fill:${fill},stroke:${line},color:${text},stroke-width:${lineWidth}px`,
  );
  return [
    ...looks,
    `  classDef start fill:${COLOURS.ink},stroke:${COLOURS.ink}`,
    `  classDef pivotLine fill:${COLOURS.paper},stroke:${COLOURS.pivot},color:${COLOURS.pivot},stroke-width:2px`,
    `  classDef window fill:${COLOURS.window},stroke:${COLOURS.windowLine},color:${COLOURS.windowText}`,
    `  classDef guest fill:${COLOURS.paper},stroke:${LOOKS.life.line},color:${LOOKS.life.line},stroke-dasharray:4`,
  ];
}

/** The forward states, those of a window inside its shaded ground, and the line behind the pivot. */
function forwardLines({ forward, windows }: Lanes): string[] {
  return forward.flatMap(node => {
    const number = windows.findIndex(run => run.includes(node));
    const run = windows[number];
    const first = run?.[0] === node;
    const last = run?.at(-1) === node;
    const lines = [nodeLine(node)];
    if (node.pivot) {
      lines.push(`  ${PIVOT_LINE}{{"<b>behind here: only forward</b>"}}:::pivotLine`);
    }
    return [
      ...(first ? [`  subgraph window${number}["guest stands still"]`] : []),
      ...lines,
      ...(last ? ['  end', `  class window${number} window`] : []),
    ];
  });
}

function group(title: string, id: string, nodes: readonly GraphNode[]): string[] {
  if (nodes.length === 0) return [];
  return [
    `  subgraph ${id}Lane["${title}"]`,
    ...nodes.map(node => nodeLine(node)),
    '  end',
    `  class ${id}Lane guest`,
  ];
}

function nodeLine(node: GraphNode, graph?: SagaGraph): string {
  const sentence =
    graph && node.id === 'needsAttention'
      ? [
          ...wrap(`${node.says}, because ${attentionCauses(graph).join(', or ')}`, WIDTH),
          ...wrap(recoveryOf(graph), WIDTH),
        ]
      : wrap(node.says, WIDTH);
  const small = sentence.map(escapeXml).join('<br/>');
  const label = `"<b>${escapeXml(headingOf(node))}</b><br/><small>${small}</small>"`;
  const [open, close] = node.kind === 'outcome' ? ['([', '])'] : ['[', ']'];
  return `  ${idOf(node.id)}${open}${label}${close}:::${lookNameOf(node)}`;
}

function linksOf(graph: SagaGraph, lanes: Lanes): Link[] {
  const colour = EDGE_COLOURS.onward;
  const start: Link = { text: `start ==> ${idOf(graph.initial)}`, colour };
  const named = new Set<string>();
  const links = lanes.edges.flatMap((edge): Link[] => {
    const bundle = `${edge.kind} ${edge.to}`;
    const label = named.has(bundle) ? '' : labelOf(edge);
    named.add(bundle);
    if (edge.kind === 'onward' && edge.from === lanes.pivot?.id) {
      return [
        { text: `${idOf(edge.from)} ==> ${PIVOT_LINE}`, colour },
        { text: `${PIVOT_LINE} ==> ${idOf(edge.to)}`, colour },
      ];
    }
    const line = edge.kind === 'onward' ? '==>' : DASHED.has(edge.kind) ? '-.->' : '-->';
    const text = `${idOf(edge.from)} ${line}${label} ${idOf(edge.to)}`;
    return [{ text, colour: EDGE_COLOURS[edge.kind] }];
  });
  return [start, ...links];
}

function linkStyles(links: readonly Link[]): string[] {
  const numbers = Map.groupBy(links.keys(), index => links[index]?.colour);
  return [...numbers].map(
    ([colour, indices]) => `  linkStyle ${indices.join(',')} stroke:${colour},color:${colour}`,
  );
}

/** What is written on the first line of each bundle of lines into one state. */
function labelOf({ kind }: DrawnEdge): string {
  if (kind === 'back') return '|failed, late, or aborted|';
  return kind === 'givenUp' ? '|given up|' : '';
}

const idOf = (state: string): string => state.replaceAll(' ', '_');
