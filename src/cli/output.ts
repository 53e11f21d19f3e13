import { styleText } from 'node:util';

/** Results, and nothing else, go to stdout. */
export function out(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** What is not a result goes to stderr. */
export function say(text: string): void {
  process.stderr.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** One JSON document, on a line of its own. */
export function json(document: object): void {
  process.stdout.write(`${JSON.stringify(document)}\n`);
}

type Styles = Parameters<typeof styleText>[0];

/** Colour for a stream: none where it is no terminal, or NO_COLOR asks for none. */
export const stylist =
  (stream: NodeJS.WriteStream) =>
  (style: Styles, text: string): string =>
    styleText(style, text, { stream });

/** A way to style text. */
export type Style = ReturnType<typeof stylist>;

/** For tests and files: as it is. */
export const plain: Style = (_style, text) => text;

/** Columns of the terminal, else what fits a page. */
export const widthOf = (stream: NodeJS.WriteStream): number => stream.columns || 100;
