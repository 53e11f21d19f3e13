import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import type * as theEngine from '../../src/engine/run.ts';

/** Changes to the engine's text, by file: what is found once is replaced. */
export type Mutation = Readonly<Record<string, readonly (readonly [from: string, to: string])[]>>;

const ENGINE = new URL('../../src/engine/', import.meta.url);
/** What a mutation may touch; the rest of the engine is shared, so that its classes are the same. */
const COPIED = ['run.ts', 'carry-out.ts', 'decide.ts'];
let made = 0;

/** An engine that differs from ours by a mutation. Throws where the text to change is not there. */
export async function mutant(mutation: Mutation): Promise<typeof theEngine> {
  made += 1;
  const folder = new URL(`made-${process.pid}-${made}/`, import.meta.url);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(folder);
  for (const file of COPIED) {
    let text = readFileSync(new URL(file, ENGINE), 'utf8');
    for (const [from, to] of mutation[file] ?? []) {
      if (text.split(from).length !== 2) throw new Error(`${file} does not say once: ${from}`);
      text = text.replace(from, () => to);
    }
    text = text.replace(/(?<=from ')\.\.?\/[^']+/g, specifier =>
      COPIED.includes(specifier.slice(2)) ? specifier : new URL(specifier, ENGINE).pathname,
    );
    writeFileSync(new URL(file, folder), text);
  }
  return (await import(new URL('run.ts', folder).pathname)) as typeof theEngine;
}
