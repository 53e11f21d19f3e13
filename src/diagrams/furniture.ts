import type { SagaGraph } from './graph.ts';
import { type Box, FORWARD_WIDTH, type Layout } from './layout.ts';
import { type Ink, lineAlong, note, place, quote } from './pen.ts';
import type { Point } from './routes.ts';
import { COLOURS } from './theme.ts';

const HEAD: Ink = { colour: COLOURS.quiet, size: 11, bold: true };
const SMALL: Ink = { colour: COLOURS.quiet, size: 11 };

/** The title, and a heading over each lane. */
export function headingLines(graph: SagaGraph, { columns, top }: Layout): string[] {
  const { left, right, life, tidy } = columns;
  const across = (y: number, height: number): Box => ({
    x: (left + right) / 2,
    y,
    width: right - left,
    height,
  });
  const over = (x: number): Box => ({ x, y: top - 18, width: 260, height: 16 });
  const title: Ink = { colour: COLOURS.ink, size: 16, bold: true };
  const version = `${graph.id}, version ${graph.version}`;
  return [
    note('title', across(top - 78, 22), [graph.title], title),
    note('subtitle', across(top - 56, 16), [version], SMALL),
    note('lane forward', over(0), ['THE WAY FORWARD'], HEAD),
    ...(life === undefined
      ? [note('lane tidy', over(tidy), ['THE WAY BACK'], HEAD)]
      : [
          note('lane life', over(life), ['THE WAY BACK: THE GUEST FIRST …'], HEAD),
          note('lane tidy', over(tidy), ['… THEN THE REST, BACKWARD'], HEAD),
        ]),
  ];
}

/** Shaded grounds behind the runs of steps in which the guest may stand still. */
export function windowLines({ lanes, nodes, columns }: Layout): string[] {
  return lanes.windows.flatMap((run, index) => {
    const boxes = run.flatMap(({ id }) => nodes.get(id) ?? []);
    const top = Math.min(...boxes.map(box => box.y - box.height / 2)) - 9;
    const bottom = Math.max(...boxes.map(box => box.y + box.height / 2)) + 9;
    const right = FORWARD_WIDTH / 2 + 14;
    const y = (top + bottom) / 2;
    const ground: Box = {
      x: (columns.left + right) / 2,
      y,
      width: right - columns.left,
      height: bottom - top,
    };
    const look = `fillcolor="${COLOURS.window}", color="${COLOURS.windowLine}", penwidth=1`;
    const beside: Box = {
      x: (columns.left - FORWARD_WIDTH / 2) / 2,
      y,
      width: 40,
      height: 40,
    };
    const ink: Ink = { colour: COLOURS.windowText, size: 11, bold: true };
    return [
      `${quote(`window ${index}`)} [${place(ground)}, ${look}, label=""];`,
      note(`window text ${index}`, beside, ['guest', 'stands', 'still'], ink),
    ];
  });
}

/** The line over the whole width behind which there is no way back. */
export function pivotLines({ pivotY, columns }: Layout): string[] {
  if (pivotY === undefined) return [];
  const { left, right } = columns;
  const end = (name: string, x: number) =>
    `${quote(name)} [${place({ x, y: pivotY, width: 0.1, height: 0.1 })}, shape=point, style=invis, label=""];`;
  const line: Point[] = [
    [left, pivotY],
    [right, pivotY],
  ];
  const beside = (y: number): Box => ({ x: right - 134, y, width: 200, height: 14 });
  return [
    end('pivot left', left),
    end('pivot right', right),
    `"pivot left" -> "pivot right" [dir=none, color="${COLOURS.pivot}", penwidth=1.8, pos="${lineAlong(line)}"];`,
    note('before the pivot', beside(pivotY - 11), ['up to here: all can be taken back'], SMALL),
    note('behind the pivot', beside(pivotY + 12), ['behind here: only forward'], {
      colour: COLOURS.pivot,
      size: 13,
      bold: true,
    }),
  ];
}

/** What marks and colours mean. */
export function legendLines({ columns: { left, right }, bottom }: Layout): string[] {
  const box: Box = { x: (left + right) / 2, y: bottom + 26, width: right - left, height: 30 };
  const meanings = [
    '◆ pivot   ·   ↻ tried again before it is given up   ·   grey: taking back',
    'red, dashed: failed, too late, or aborted   ·   amber, dashed: given up, or in doubt',
  ];
  return [note('legend', box, meanings, SMALL)];
}
