import type { Box } from './layout.ts';
import type { Point } from './routes.ts';
import { escapeXml } from './text.ts';

const ARROW = 7;
const CORNER = 7;
const POINTS_PER_INCH = 72;

/** How a piece of free text is set; size in points. */
export interface Ink {
  readonly colour: string;
  readonly size: number;
  readonly bold?: true;
}

/** Text of a given ink as Graphviz’ HTML-like label, without its brackets. */
export function inked(text: string, { colour, size, bold }: Ink): string {
  const safe = escapeXml(text);
  return `<FONT POINT-SIZE="${size}" COLOR="${colour}">${bold ? `<B>${safe}</B>` : safe}</FONT>`;
}

/** A node of DOT that is nothing but text, centred in its box. */
export function note(id: string, box: Box, lines: readonly string[], ink: Ink): string {
  const label = lines.map(line => inked(line, ink)).join('<BR/>');
  return `${quote(id)} [${place(box)}, shape=plaintext, style="", label=<${label}>];`;
}

/** The attributes that pin a node to its box. Graphviz counts y upward, and sizes in inches. */
export function place({ x, y, width, height }: Box): string {
  const inches = (points: number) => round(points / POINTS_PER_INCH, 4);
  return `pos="${point([x, y])}", width=${inches(width)}, height=${inches(height)}`;
}

/** A route with rounded corners and an arrow at its end, as Graphviz writes splines. */
export function arrowAlong(route: readonly Point[]): string {
  const tip = route.at(-1) ?? [0, 0];
  const base = towards(tip, route.at(-2) ?? tip, ARROW);
  return `e,${point(tip)} ${lineAlong([...route.slice(0, -1), base])}`;
}

/** A route with rounded corners, as Graphviz writes splines: a point, then three for each curve. */
export function lineAlong(route: readonly Point[]): string {
  const [first, ...rest] = route;
  if (!first) return '';
  const controls: Point[] = [first];
  let here = first;
  rest.forEach((corner, index) => {
    const after = rest[index + 1];
    if (!after) {
      controls.push(here, corner, corner);
      return;
    }
    const enter = towards(corner, here, CORNER);
    const leave = towards(corner, after, CORNER);
    controls.push(here, enter, enter, corner, corner, leave);
    here = leave;
  });
  return controls.map(point).join(' ');
}

/** A name in DOT. */
export function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** The point `far` points away from `from` in the direction of `to`, at most half the way. */
function towards([x, y]: Point, [toX, toY]: Point, far: number): Point {
  const length = Math.hypot(toX - x, toY - y);
  if (length === 0) return [x, y];
  const share = Math.min(far, length / 2) / length;
  return [x + (toX - x) * share, y + (toY - y) * share];
}

const point = ([x, y]: Point): string => `${round(x)},${round(-y)}`;
const round = (value: number, digits = 2): string => String(Number(value.toFixed(digits)));
