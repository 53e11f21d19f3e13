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

/** A way to style text. */
export type Style = (style: Styles, text: string) => string;

/** For what is no terminal: as it is. */
export const plain: Style = (_style, text) => text;

/** Colour for a stream: none where it is no terminal, or NO_COLOR asks for none. */
export function stylist(stream: NodeJS.WriteStream): Style {
  // Asked once: a long tree has tens of thousands of pieces.
  if (styleText('red', 'x', { stream }) === 'x') return plain;
  return (style, text) => styleText(style, text, { validateStream: false });
}

/** Columns of the terminal, else what fits a page. */
export const widthOf = (stream: NodeJS.WriteStream): number => stream.columns || 100;
