import type { GraphNode, SagaGraph } from './graph.ts';
import { attentionCauses, type DrawnEdge, type Lanes, lanesOf, recoveryOf } from './lanes.ts';
import { escapeXml, headingOf, wrap } from './text.ts';
import { COLOURS, DASHED, EDGE_COLOURS, LOOKS, lookNameOf } from './theme.ts';

const WIDTH = 44;
const PIVOT_LINE = 'pivotLine';

/** A page may be dark behind these lines, unlike behind those of the SVG. */
const COLOUR_OF_LINE = { ...EDGE_COLOURS, onward: COLOURS.quiet, undo: COLOURS.quiet } as const;

const CONFIG = {
  theme: 'default',
  themeVariables: { edgeLabelBackground: COLOURS.paper },
  flowchart: { wrappingWidth: 400 },
} as const;

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
    `%%{init: ${JSON.stringify(CONFIG)}}%%`,
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
    `  classDef start fill:${COLOURS.quiet},stroke:${COLOURS.quiet}`,
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
  const bundles = Map.groupBy(lanes.edges, edge => `${edge.kind} ${edge.to}`);
  const links = [...bundles.values()].flatMap((bundle): Link[] => {
    const { kind, to } = bundle[0] as DrawnEdge;
    const colour = COLOUR_OF_LINE[kind];
    if (kind === 'onward') {
      return bundle.flatMap(({ from }) => {
        const way = from === lanes.pivot?.id ? [from, PIVOT_LINE, to] : [from, to];
        return way.slice(1).map((next, index) => ({
          text: `${idOf(way[index] ?? from)} ==> ${idOf(next)}`,
          colour,
        }));
      });
    }
    const line = DASHED.has(kind) ? '-.->' : '-->';
    if (kind === 'undo' || kind === 'attention') {
      return bundle.map(({ from }) => ({ text: `${idOf(from)} ${line} ${idOf(to)}`, colour }));
    }
    // Mermaid cannot join lines: one stands for all, and its label says for which.
    const from = bundle.at(-1)?.from ?? '';
    return [{ text: `${idOf(from)} ${line}|"${labelOf(lanes, bundle)}"| ${idOf(to)}`, colour }];
  });
  const start: Link = { text: `start ==> ${idOf(graph.initial)}`, colour: COLOUR_OF_LINE.onward };
  return [start, ...links];
}

/** What a line says: why it is taken, and from which steps, where it stands for several. */
function labelOf({ forward }: Lanes, bundle: readonly DrawnEdge[]): string {
  const why = bundle[0]?.kind === 'back' ? 'failed, late, or aborted' : 'given up';
  if (bundle.length === 1) return why;
  const names = bundle.map(({ from }) => from);
  const places = names.map(name => forward.findIndex(node => node.id === name));
  const unbroken = places.every((place, index) => place === (places[0] ?? 0) + index);
  return `${why}:<br/>${unbroken ? `${names[0]} … ${names.at(-1)}` : names.join(', ')}`;
}

function linkStyles(links: readonly Link[]): string[] {
  const numbers = Map.groupBy(links.keys(), index => links[index]?.colour);
  return [...numbers].map(
    ([colour, indices]) => `  linkStyle ${indices.join(',')} stroke:${colour},color:${colour}`,
  );
}

const idOf = (state: string): string => state.replaceAll(' ', '_');
