import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { z } from 'zod';
import { writing } from './writing.ts';

/** What came of asking virsh, without domsnap, for what a case does. */
const answer = z.object({
  does: z.enum(['works', 'refuses', 'nothing']),
  /** Its own words, or how it leaves the domain; empty where there is nothing to say. */
  says: z.string(),
});
export type VirshAnswer = z.infer<typeof answer>;

const record = z.object({ version: z.string(), answers: z.record(z.string(), answer) });

const PATH = join(import.meta.dirname, 'proved', 'virsh-alone.json');

/** What is on record, and of which libvirt. */
export const virshAnswers = (): z.infer<typeof record> =>
  record.parse(JSON.parse(readFileSync(PATH, 'utf8')));

/** Compare what virsh has just answered with what is on record; or put it on record. */
export function compareAnswers(
  version: string,
  answers: Readonly<Record<string, VirshAnswer>>,
): void {
  if (writing()) writeFileSync(PATH, `${JSON.stringify({ version, answers }, null, 2)}\n`);
  const known = virshAnswers();
  // Another libvirt may well answer otherwise: the README says of which one it speaks.
  if (version !== known.version) return;
  expect(answers, 'DOMSNAP_WRITE_TABLE=1 puts it on record').toEqual(known.answers);
}
