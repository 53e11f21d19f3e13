import type { SagaGraph } from './graph.ts';

/** The graph of a machine as JSON: states with their meta, edges with their ways; stable in order. */
export function jsonOf(graph: SagaGraph): string {
  return `${JSON.stringify(graph, undefined, 2)}\n`;
}
