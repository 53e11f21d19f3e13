/**
 * Text from outside (a guest, a tool's stderr) as it may be shown on a terminal: control characters
 * become spaces, newlines stay, and only the last `maxChars` characters are kept.
 */
export function printable(text: string, maxChars: number): string {
  const tail = text.length > maxChars ? `…${text.slice(-maxChars)}` : text;
  return tail.replace(/[^\P{C}\n]/gu, ' ');
}
