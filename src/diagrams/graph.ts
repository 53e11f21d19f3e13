import type { Saga, StateMeta } from '../../machines/saga.ts';
import { undoState } from '../../machines/saga.ts';
import { explore, type Way } from './explore.ts';

/** A state of a machine, as a diagram shows it. */
export interface GraphNode extends StateMeta {
  /** The name of the state in the machine. */
  readonly id: string;
  /** The forward state whose effect this compensation takes back. */
  readonly undoes?: string;
  /** It is tried again, in place, before it is given up. */
  readonly retried: boolean;
}

/** All the ways from one state to another that a run can take, as one edge. */
export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly ways: readonly Way[];
}

/** A machine as a plain graph: forward states in their order, then compensations, then outcomes. */
export interface SagaGraph {
  readonly id: string;
  readonly version: number;
  readonly title: string;
  readonly story: string;
  readonly initial: string;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/**
 * The graph of a case, read off its machine and never off its list of steps: nodes are the machine's
 * state nodes with their meta, edges are what its own transitions and guards do with every event.
 * A transition that no run can take is therefore not in it. Throws where a state carries no meta.
 */
export function graphOf(saga: Saga): SagaGraph {
  const { machine } = saga;
  const steps = explore(machine);
  const edges = new Map<string, { from: string; to: string; ways: Set<Way> }>();
  for (const { from, to, way } of steps) {
    const key = JSON.stringify([from, to]);
    const edge = edges.get(key) ?? { from, to, ways: new Set<Way>() };
    edges.set(key, edge);
    edge.ways.add(way);
  }
  const ids = Object.keys(machine.states);
  const retried = new Set(steps.filter(({ way }) => way === 'retry').map(({ from }) => from));
  const nodes = ids.map(id => ({ ...metaOf(saga, id), id, retried: retried.has(id) }));
  const undone = new Map(
    nodes.filter(node => node.kind === 'forward').map(node => [undoState(node.id), node.id]),
  );
  const byPlace = (a: { from: string; to: string }, b: { from: string; to: string }) =>
    ids.indexOf(a.from) - ids.indexOf(b.from) || ids.indexOf(a.to) - ids.indexOf(b.to);
  return {
    id: machine.id,
    version: saga.version,
    title: saga.title,
    story: saga.story.replaceAll('\n', ' '),
    initial: String(machine.config.initial),
    nodes: nodes.map(node => {
      const undoes = node.kind === 'undo' ? undone.get(node.id) : undefined;
      return undoes === undefined ? node : { ...node, undoes };
    }),
    edges: [...edges.values()]
      .map(({ ways, ...edge }) => ({ ...edge, ways: [...ways].sort() }))
      .sort(byPlace),
  };
}

/** The nodes of one kind, in the machine's order. */
export function nodesOf(graph: SagaGraph, kind: StateMeta['kind']): readonly GraphNode[] {
  return graph.nodes.filter(node => node.kind === kind);
}

function metaOf({ id, machine }: Saga, state: string): StateMeta {
  const meta = machine.states[state]?.meta as StateMeta | undefined;
  if (!meta?.kind) throw new Error(`${id}: the state ${state} says nothing about itself`);
  return meta;
}
