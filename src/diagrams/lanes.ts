import type { Way } from './explore.ts';
import { type GraphEdge, type GraphNode, nodesOf, type SagaGraph } from './graph.ts';

/** What an edge means to a reader, which decides how it looks. */
export type EdgeKind = 'onward' | 'back' | 'undo' | 'givenUp' | 'attention';

/** An edge that is drawn. The others are told by marks and notes, so that the lines can be followed. */
export interface DrawnEdge {
  readonly from: string;
  readonly to: string;
  readonly kind: EdgeKind;
  readonly ways: readonly Way[];
}

/** A graph sorted for the eye. */
export interface Lanes {
  readonly forward: readonly GraphNode[];
  /** Compensations that give the guest its life back. */
  readonly life: readonly GraphNode[];
  /** All other compensations. */
  readonly tidy: readonly GraphNode[];
  /** Unbroken runs of forward states in which the guest may stand still. */
  readonly windows: readonly (readonly GraphNode[])[];
  readonly pivot: GraphNode | undefined;
  readonly edges: readonly DrawnEdge[];
}

/** Ways that are shown by a mark on a node or by a note, not by a line. */
const UNDRAWN: ReadonlySet<Way> = new Set(['retry', 'recover', 'inDoubt']);

/** Sort a graph into lanes and choose the edges to draw. */
export function lanesOf(graph: SagaGraph): Lanes {
  const forward = nodesOf(graph, 'forward');
  const undo = nodesOf(graph, 'undo');
  return {
    forward,
    life: undo.filter(node => node.liveness),
    tidy: undo.filter(node => !node.liveness),
    windows: runs(forward),
    pivot: forward.find(node => node.pivot),
    edges: graph.edges.flatMap(edge => drawn(graph, edge)),
  };
}

/** What can bring a run of this machine to `needsAttention`, in words; in the machine's own terms. */
export function attentionCauses(graph: SagaGraph): readonly string[] {
  const into = graph.edges.filter(edge => edge.to === 'needsAttention');
  const kindOf = (id: string) => graph.nodes.find(node => node.id === id)?.kind;
  const any = (kind: GraphNode['kind'], ...ways: Way[]) =>
    into.some(edge => kindOf(edge.from) === kind && edge.ways.some(way => ways.includes(way)));
  const causes: string[] = [];
  const doubt = graph.edges.some(edge => edge.ways.includes('inDoubt'));
  if (doubt) causes.push('an effect is in doubt');
  if (any('undo', 'gaveUp')) causes.push('an undo was given up');
  if (graph.edges.some(({ from, ways }) => kindOf(from) === 'forward' && ways.includes('gaveUp'))) {
    causes.push('a step behind the pivot was given up');
  }
  return causes;
}

/** Where RECOVER goes on from `needsAttention`, in words. */
export function recoveryOf(graph: SagaGraph): string {
  const kinds = new Set(
    graph.edges
      .filter(edge => edge.ways.includes('recover'))
      .map(edge => graph.nodes.find(node => node.id === edge.to)?.kind === 'forward'),
  );
  const ways = [
    ...(kinds.has(true) ? ['forward behind the pivot'] : []),
    ...(kinds.has(false) ? ['back before it'] : []),
  ];
  return `recover goes on: ${ways.join(', ')}`;
}

function runs(forward: readonly GraphNode[]): GraphNode[][] {
  const found: GraphNode[][] = [];
  forward.forEach((node, index) => {
    if (!node.window) return;
    if (index > 0 && forward[index - 1]?.window) found.at(-1)?.push(node);
    else found.push([node]);
  });
  return found;
}

function drawn(graph: SagaGraph, { from, to, ways }: GraphEdge): DrawnEdge[] {
  const told = ways.filter(way => !UNDRAWN.has(way));
  if (told.length === 0) return [];
  const source = graph.nodes.find(node => node.id === from);
  const kind = kindOf(source, to, told);
  return [{ from, to, kind, ways: told }];
}

function kindOf(source: GraphNode | undefined, to: string, ways: readonly Way[]): EdgeKind {
  if (source?.kind === 'undo') return to === 'needsAttention' ? 'attention' : 'undo';
  if (ways.includes('done')) return 'onward';
  return ways.includes('gaveUp') ? 'givenUp' : 'back';
}
