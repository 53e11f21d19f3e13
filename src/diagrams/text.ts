import type { GraphNode } from './graph.ts';

/** The heading of a node: its effect's name, a mark for the pivot, and one for being tried again. */
export function headingOf(node: GraphNode): string {
  const name = node.kind === 'outcome' ? node.id : node.step;
  return `${node.pivot ? '◆ ' : ''}${name}${node.pivot ? ' · pivot' : ''}${node.retried ? ' ↻' : ''}`;
}

/** Break a sentence into as few lines of at most `width` characters as its words allow, of like length. */
export function wrap(sentence: string, width: number): string[] {
  let best = fill(sentence, width);
  for (let narrower = width - 1; narrower > 0; narrower -= 1) {
    const lines = fill(sentence, narrower);
    if (lines.length > best.length || lines.some(line => line.length > narrower)) break;
    best = lines;
  }
  return best;
}

function fill(sentence: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of sentence.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}

/** Make text safe between the tags of HTML, XML and Graphviz’ HTML-like labels. */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
