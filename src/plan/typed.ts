/**
 * A command of domsnap's for people to type, in quotes as hints have it. A name with a blank, a quote or
 * another character that a POSIX shell acts upon is quoted for it.
 */
export const typed = (...words: readonly string[]): string =>
  `'${['domsnap', ...words.map(word)].join(' ')}'`;

/** In double quotes where they do, as they read better between the quotes of a hint. */
function word(text: string): string {
  if (/^[\p{L}\p{N}_@%+=:,./-]+$/u.test(text)) return text;
  if (!/["$`\\!]/.test(text)) return `"${text}"`;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
