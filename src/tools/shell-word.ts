/** A word that /bin/sh takes as it is: within single quotes only a single quote is special. */
export const shellWord = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
