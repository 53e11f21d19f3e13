import { beforeAll, describe, expect, test } from 'vitest';
import { MACHINES } from '../../machines/index.ts';
import type { StateMeta } from '../../machines/saga.ts';
import { graphOf, type SagaGraph } from '../../src/diagrams/graph.ts';
import { lanesOf } from '../../src/diagrams/lanes.ts';
import { layoutOf } from '../../src/diagrams/layout.ts';
import { renderCase } from '../../src/diagrams/render-case.ts';
import { wrap } from '../../src/diagrams/text.ts';

const CASES = [...MACHINES.values()].map(it => [it.id, it] as const);

/** The groups of an SVG by their titles, with the text that stands in each. */
function groupsOf(svg: string): Map<string, string> {
  const groups = svg.matchAll(/<g class="(?:node|edge)">\n<title>(.*?)<\/title>(.*?)<\/g>/gs);
  return new Map(
    [...groups].map(([, title = '', body = '']) => [
      plain(title),
      plain([...body.matchAll(/<text.*?>(.*?)<\/text>/gs)].map(([, text]) => text).join(' ')),
    ]),
  );
}

const plain = (xml: string): string =>
  xml
    .replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replaceAll('&gt;', '>')
    .replaceAll(/\s+/g, ' ');

describe.each(CASES)('the diagram of %s', (_, it) => {
  const metas = Object.entries(it.machine.states).map(
    ([state, { meta }]) => [state, meta as StateMeta] as const,
  );
  let graph: SagaGraph;
  let groups: Map<string, string>;
  let mermaid: string;

  beforeAll(async () => {
    graph = graphOf(it);
    groups = groupsOf(await renderCase(it, 'svg'));
    mermaid = await renderCase(it, 'mermaid');
  });

  const pivots = metas.filter(([, meta]) => meta.pivot).map(([state]) => state);

  test('shows every state with its sentence, and every line, as SVG', () => {
    for (const [state, meta] of metas) {
      const words = groups.get(state) ?? '';
      expect(words).toContain(meta.step || state);
      for (const word of meta.says.split(' ')) expect(words).toContain(word);
    }
    for (const { from, to } of lanesOf(graph).edges) {
      expect([...groups.keys()]).toContain(`${from}->${to}`);
    }
  });

  test('marks the pivot exactly where the machine has it', () => {
    const marked = metas.map(([state]) => state).filter(state => groups.get(state)?.includes('◆'));
    expect(marked).toEqual(pivots);
    const nodes = mermaid.split('\n').filter(line => /:::pivot$/.test(line));
    expect(nodes.map(line => line.trim().split('[')[0])).toEqual(pivots);
    const { nodes: places, pivotY = 0, lanes } = layoutOf(graph);
    for (const { id, committed } of lanes.forward) {
      expect((places.get(id)?.y ?? 0) > pivotY).toBe(committed);
    }
  });

  test('shades exactly the steps in which the guest may stand still', () => {
    const grounds = mermaid.match(/ {2}subgraph window.*?\n {2}end/gs) ?? [];
    const shaded = grounds.flatMap(ground =>
      [...ground.matchAll(/^ {2}(\w+)\["<b>/gm)].map(([, state]) => state),
    );
    const still = metas.filter(([, meta]) => meta.kind === 'forward' && meta.window);
    expect(shaded).toEqual(still.map(([state]) => state));
    expect(groups.has('window 0')).toBe(still.length > 0);
  });

  test('holds every state as Mermaid and as JSON', async () => {
    const json = JSON.parse(await renderCase(it, 'json')) as SagaGraph;
    for (const [state, meta] of metas) {
      expect(mermaid).toMatch(new RegExp(`^  ${state.replaceAll(' ', '_')}(\\[|\\(\\[)"<b>`, 'm'));
      expect(json.nodes).toContainEqual(expect.objectContaining({ ...meta, id: state }));
    }
    expect(json.edges).toEqual(graph.edges);
  });

  test('lays no node over another', () => {
    const boxes = [...layoutOf(graph).nodes.values()];
    for (const [index, a] of boxes.entries()) {
      for (const b of boxes.slice(index + 1)) {
        const apart =
          Math.abs(a.x - b.x) >= (a.width + b.width) / 2 ||
          Math.abs(a.y - b.y) >= (a.height + b.height) / 2;
        expect(apart, `${a.node.id} and ${b.node.id}`).toBe(true);
      }
    }
  });
});

test('the same machine gives the same bytes', async () => {
  const it = MACHINES.get('create.live.background.external');
  if (!it) throw new Error('the case is gone');
  for (const format of ['svg', 'mermaid', 'json'] as const) {
    expect(await renderCase(it, format)).toBe(await renderCase(it, format));
  }
});

test('a sentence is broken into lines of like length, and loses no word', () => {
  expect(wrap('take the name in the tree, so that no one else can', 48)).toEqual([
    'take the name in the tree,',
    'so that no one else can',
  ]);
  expect(wrap('incomprehensibilities', 5)).toEqual(['incomprehensibilities']);
});
