import { knownCase } from './cases.ts';
import type { Exit } from './exit-codes.ts';
import { EXIT } from './exit-codes.ts';
import type { Invocation } from './invocation.ts';
import { json, out } from './output.ts';

/** Formats of `domsnap graph`. */
export const GRAPH_FORMATS = ['mermaid', 'svg', 'json'] as const;
type GraphFormat = (typeof GRAPH_FORMATS)[number];

/** `domsnap graph`: the machine of a case, drawn. */
export async function graph(
  call: Invocation,
  id: string,
  { format = 'mermaid' }: { readonly format?: GraphFormat | undefined },
): Promise<Exit> {
  const saga = knownCase(id);
  const { renderCase } = await import('../diagrams/render-case.ts');
  const drawn = await renderCase(saga, format);
  if (call.json) json({ ok: true, case: id, format, graph: drawn });
  else out(drawn);
  return EXIT.done;
}
