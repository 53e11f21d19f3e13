import type { Saga } from '../../machines/saga.ts';
import { graphOf } from './graph.ts';
import { jsonOf } from './json.ts';
import { mermaidOf } from './mermaid.ts';
import { svgOf } from './svg.ts';

/** The forms that a diagram can take. */
export const DIAGRAM_FORMATS = ['mermaid', 'svg', 'json'] as const;
export type DiagramFormat = (typeof DIAGRAM_FORMATS)[number];

/** Draw the machine of a case. Rejects where a state carries no meta, or Graphviz fails. */
export async function renderCase(saga: Saga, format: DiagramFormat): Promise<string> {
  const graph = graphOf(saga);
  switch (format) {
    case 'mermaid':
      return mermaidOf(graph);
    case 'svg':
      return await svgOf(graph);
    case 'json':
      return jsonOf(graph);
  }
}
