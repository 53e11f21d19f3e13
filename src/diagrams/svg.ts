import { Graphviz } from '@hpcc-js/wasm-graphviz';
import { dotOf } from './dot.ts';
import type { SagaGraph } from './graph.ts';
import { escapeXml } from './text.ts';
import { FONT_STACK, METRICS_FONT } from './theme.ts';

/** The diagram of a machine as SVG: the same bytes for the same graph. Rejects where Graphviz fails. */
export async function svgOf(graph: SagaGraph): Promise<string> {
  const graphviz = await Graphviz.load();
  const svg = graphviz.layout(dotOf(graph), 'svg', 'neato', { nop: 2 });
  const label = escapeXml(`${graph.title} (${graph.id})`);
  return svg
    .replace(/<!--.*?-->\n?/gs, '')
    .replace(/^<\?xml.*?(?=<svg)/s, '')
    .replaceAll(/ id="(?:graph|node|edge)\d+"/g, '')
    .replaceAll(`font-family="${METRICS_FONT}"`, `font-family="${FONT_STACK}"`)
    .replace('<svg ', `<svg role="img" aria-label="${label}" `);
}
