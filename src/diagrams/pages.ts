import type { Saga } from '../../machines/saga.ts';
import { escapeXml } from './text.ts';
import { COLOURS, FONT_STACK } from './theme.ts';

/** The operation that a case belongs to: the first word of its id. */
export function operationOf({ id }: Saga): string {
  return id.split('.')[0] ?? id;
}

const HOW_TO_READ = `Down the left goes the way forward, one box for each step. A red dashed line leads from a step that
failed, came too late or was aborted to what takes it back: whatever gives the guest its life back comes first,
the rest follows backward, up to where the run began. ◆ marks the pivot: behind its line there is only forward.
↻ marks what is tried again before it is given up. The diagrams are drawn from the machines themselves.`;

/** The index of all diagrams as Markdown, for people who browse the repository. */
export function readmeOf(sagas: readonly Saga[]): string {
  const groups = byOperation(sagas);
  const contents = groups.flatMap(([operation, cases]) => [
    `- ${operation}`,
    ...cases.map(({ id }) => `  - [${id}](#${anchorOf(id)})`),
  ]);
  const chapters = groups.flatMap(([operation, cases]) => [
    `## ${operation}`,
    '',
    ...cases.flatMap(saga => [
      `### ${saga.id}`,
      '',
      `**${saga.title}.** ${plain(saga.story)}`,
      '',
      `![${saga.title}](${operation}/${saga.id}.svg)`,
      '',
      `The same [as Mermaid](${operation}/${saga.id}.mmd).`,
      '',
    ]),
  ]);
  return [
    '<!-- Generated from machines/ by src/diagrams/main.ts: never edit by hand. -->',
    '# The machines of all cases',
    '',
    HOW_TO_READ,
    '',
    ...contents,
    '',
    ...chapters,
  ].join('\n');
}

/** All diagrams on one page that needs no other file; `svgs` by the id of the case. */
export function htmlOf(sagas: readonly Saga[], svgs: ReadonlyMap<string, string>): string {
  const groups = byOperation(sagas);
  const links = groups.map(
    ([operation, cases]) =>
      `<h2>${operation}</h2>\n<ul>\n${cases
        .map(({ id }) => `<li><a href="#${id}">${id.slice(operation.length + 1)}</a></li>`)
        .join('\n')}\n</ul>`,
  );
  const sections = sagas.map(
    ({ id, title, story }) => `<section id="${id}">
<h2>${escapeXml(title)}</h2>
<p>${escapeXml(plain(story))}</p>
${svgs.get(id) ?? ''}</section>`,
  );
  return `<!doctype html>
<!-- Generated from machines/ by src/diagrams/main.ts: never edit by hand. -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>domsnap: the machines of all cases</title>
<style>${STYLE}</style>
</head>
<body>
<nav>
<h1>domsnap: the machines</h1>
${links.join('\n')}
</nav>
<main>
<p class="how">${plain(HOW_TO_READ)}</p>
${sections.join('\n')}
</main>
</body>
</html>
`;
}

const STYLE = `
body { margin: 0; font: 15px/1.5 ${FONT_STACK}; color: ${COLOURS.ink}; background: ${COLOURS.paper}; display: flex; }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; box-sizing: border-box; padding: 20px 24px; border-right: 1px solid #e2e8f0; flex: none; }
nav h1 { font-size: 17px; margin: 0; } nav h2 { font-size: 13px; margin: 18px 0 4px; } nav ul { list-style: none; margin: 0; padding: 0; font-size: 13px; }
a { color: ${COLOURS.windowText}; text-decoration: none; } a:hover { text-decoration: underline; }
main { padding: 20px 32px; min-width: 0; } main p { max-width: 46em; } .how { color: ${COLOURS.sentence}; }
section { padding: 24px 0; border-top: 1px solid #e2e8f0; } section h2 { font-size: 20px; margin: 0; }
svg { max-width: 100%; height: auto; }
@media (max-width: 800px) { body { display: block; } nav { position: static; height: auto; } }
`;

function byOperation(sagas: readonly Saga[]): [string, Saga[]][] {
  const groups = new Map<string, Saga[]>();
  for (const saga of sagas) {
    groups.set(operationOf(saga), [...(groups.get(operationOf(saga)) ?? []), saga]);
  }
  return [...groups];
}

/** How GitHub names the anchor of a heading: its letters, digits and dashes. */
const anchorOf = (id: string): string => id.replaceAll(/[^a-z0-9-]/g, '');
const plain = (text: string): string => text.replaceAll(/\s+/g, ' ');
