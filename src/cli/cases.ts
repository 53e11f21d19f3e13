import { MACHINES } from '../../machines/index.ts';
import type { Saga } from '../../machines/saga.ts';
import { misused } from '../plan/refusal.ts';
import { EXIT, type Exit } from './exit-codes.ts';
import { columns, duration, fill } from './format.ts';
import type { Invocation } from './invocation.ts';
import { json, out, type Style, stylist, widthOf } from './output.ts';

/** `domsnap cases [case]`: the catalogue, or the story and steps of one. */
export async function cases(call: Invocation, id: string | undefined): Promise<Exit> {
  const style = stylist(process.stdout);
  if (id !== undefined) {
    const saga = knownCase(id);
    if (call.json) json({ ok: true, case: documentOf(saga) });
    else out(textOf(saga, style));
    return EXIT.done;
  }
  const all = [...MACHINES.values()];
  if (call.json) json({ ok: true, cases: all.map(documentOf) });
  else out(columns(all.map(saga => [style('bold', saga.id), style('dim', saga.title)])).join('\n'));
  return EXIT.done;
}

/** A case by its id. Throws RefusedError (usage), with the nearest ids. */
export function knownCase(id: string): Saga {
  const saga = MACHINES.get(id);
  if (saga) return saga;
  const words = id.split('.');
  const near = [...MACHINES.keys()].filter(other => words.every(word => other.includes(word)));
  const hint =
    near.length > 0 ? `perhaps ${near.slice(0, 4).join(', ')}` : `'domsnap cases' lists them`;
  throw misused('unknown-case', `there is no case ${JSON.stringify(id)}`, hint);
}

function documentOf({ id, version, title, story, steps }: Saga): object {
  return {
    id,
    version,
    title,
    story,
    steps: steps.map(({ name, says, deadlineMs, pivot, window, undo }) => ({
      step: name,
      says,
      deadlineMs,
      pivot: pivot ?? false,
      window: window ?? false,
      undo: undo?.name ?? null,
    })),
  };
}

function textOf({ id, version, title, story, steps }: Saga, style: Style): string {
  const wide = Math.min(widthOf(process.stdout), 100);
  const rows = steps.flatMap(({ name, says, deadlineMs, pivot, window, undo }) => {
    const gutter = window ? style('yellow', '┃') : ' ';
    const marks = [
      ...(pivot ? [style('magenta', '◆ pivot')] : []),
      style('dim', `≤ ${duration(deadlineMs)}`),
      ...(undo ? [style('dim', `undo: ${undo.name}`)] : []),
    ];
    return [
      `  ${gutter} ${style('bold', name)}  ${marks.join('  ')}`,
      ...fill(says, wide - 8)
        .split('\n')
        .map(line => `  ${gutter}     ${style('dim', line)}`),
    ];
  });
  return [
    `${style('bold', id)} · version ${version}`,
    title,
    '',
    fill(story, wide, '  '),
    '',
    ...rows,
  ].join('\n');
}
