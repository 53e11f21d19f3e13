import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { z } from 'zod';
import { CATALOGUE } from '../../../machines/index.ts';
import { type VirshAnswer, virshAnswers } from './virsh-answers.ts';
import { writing } from './writing.ts';

/** The columns of the README's table of cases, and what each holds a snapshot in. */
export const COLUMNS = [
  'overlay',
  'qcow2-internal',
  'mixed',
  'vhd',
  'lvm',
  'lvm-thin',
  'lvm-mixed',
  'libvirt-overlay',
  'libvirt-qcow2-internal',
  'libvirt-mixed',
  'libvirt-lvm',
] as const;
export type Column = (typeof COLUMNS)[number];

const FOLDER = join(import.meta.dirname, 'proved');
const proved = z.array(z.string());

/** The cases that are on record as proved on the real tools in a storage. */
export function provedIn(column: Column): readonly string[] {
  return proved.parse(JSON.parse(readFileSync(join(FOLDER, `${column}.json`), 'utf8')));
}

/** Compare what has just been proved with what is on record; or put it on record. */
export function compareProved(column: Column, cases: ReadonlySet<string>): void {
  const found = [...cases].sort();
  if (writing()) {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(join(FOLDER, `${column}.json`), `${JSON.stringify(found, null, 2)}\n`);
  }
  expect(found, 'DOMSNAP_WRITE_TABLE=1 puts it on record').toEqual(provedIn(column));
}

const BEGIN = '<!-- cases:begin -->';
const END = '<!-- cases:end -->';

/**
 * The table of all cases for the README: where each was proved on the real tools, and what virsh without
 * domsnap does. Below it, virsh's own words.
 */
export function renderTable(): string {
  const columns = COLUMNS.map(column => ({ column, cases: new Set(provedIn(column)) }));
  const { version, answers } = virshAnswers();
  const notes = [...new Set(Object.values(answers).flatMap(({ says }) => says || []))];
  const rows = [...CATALOGUE.values()].map(({ id, title }) => [
    `\`${id}\``,
    title,
    ...columns.map(({ cases }) => (cases.has(id) ? '✓' : '–')),
    answers[id] ? markOf(answers[id], notes) : '–',
  ]);
  const heads = ['case', 'what it does', ...COLUMNS, `virsh ${version} alone`];
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    line(heads),
    line(heads.map(() => '---')),
    ...rows.map(line),
    '',
    ...notes.map((note, index) => `${index + 1}. ${note}`),
  ].join('\n');
}

const MARKS = { works: '✓', refuses: '✘', nothing: '–' } as const;

function markOf({ does, says }: VirshAnswer, notes: readonly string[]): string {
  return says === '' ? MARKS[does] : `${MARKS[does]} (${notes.indexOf(says) + 1})`;
}

/** A text with the table between its marks. Throws where it has no marks. */
export function withTable(text: string): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`there is no ${BEGIN} … ${END}`);
  return `${text.slice(0, begin + BEGIN.length)}\n${renderTable()}\n${text.slice(end)}`;
}
