import { type Fault, KINDS } from './judge.ts';
import type { Round } from './round.ts';
import { VICTIMS } from './victims.ts';

/** A case that virsh did without being killed, or not. */
export type Control = Pick<Round, 'case' | 'faults' | 'ended'>;

/**
 * Cases by victims. `2 (1) / 5`: of five kills two ended badly, and one of them still did after the
 * same command was given again. Then what was wrong, by kind and number of rounds.
 */
export function table(rounds: readonly Round[], cases: readonly string[]): string {
  const struck = rounds.filter(one => one.struck);
  const heading = ['case', ...VICTIMS, 'all', 'what was wrong'];
  const rowOf = (name: string, mine: readonly Round[]): string[] => [
    name,
    ...VICTIMS.map(victim => cell(mine.filter(one => one.victim === victim))),
    cell(mine),
    wrong(mine),
  ];
  const rows = cases.map(id =>
    rowOf(
      id,
      struck.filter(one => one.case === id),
    ),
  );
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(heading),
    line(heading.map(() => '---')),
    ...rows.map(line),
    line(rowOf('all', struck)),
  ].join('\n');
}

function cell(rounds: readonly Round[]): string {
  if (rounds.length === 0) return '–';
  const bad = rounds.filter(({ faults }) => faults.length > 0).length;
  const still = rounds.filter(({ afterwards }) => (afterwards?.length ?? 0) > 0).length;
  return `${bad}${bad > 0 ? ` (${still})` : ''} / ${rounds.length}`;
}

/** In how many rounds each kind was found; a round may have several. */
function wrong(rounds: readonly Round[]): string {
  const counts = KINDS.map(kind => {
    const found = rounds.filter(({ faults }) => faults.some(fault => fault.kind === kind));
    return { kind, count: found.length };
  });
  const told = counts.filter(({ count }) => count > 0).map(({ kind, count }) => `${kind} ${count}`);
  return told.join(', ') || '–';
}

/** How the rounds that struck ended, in one line. */
export function endings(rounds: readonly Round[]): string {
  const struck = rounds.filter(one => one.struck);
  const good = struck.filter(({ faults }) => faults.length === 0);
  const done = good.filter(({ standing }) => standing === 'done').length;
  const bad = struck.length - good.length;
  const mended = struck.filter(({ afterwards }) => afterwards?.length === 0).length;
  return [
    `${struck.length} kills in ${rounds.length} rounds:`,
    `${done} done, ${good.length - done} as before, ${bad} neither`,
    `(${mended} of these mended by the same command again)`,
  ].join(' ');
}

/** What virsh refuses when nobody is killed. */
export function refusals(controls: readonly Control[]): string {
  const refused = controls.filter(({ ended }) => !ended.ok);
  return refused
    .map(({ case: id, ended }) => `refused: ${id}: ${ended.stderr.split('\n').join(' ')}`)
    .join('\n');
}

/** The faults of a round in one line. */
export const told = (faults: readonly Fault[]): string =>
  faults.map(({ kind, what }) => `${kind} (${what})`).join('; ') || 'nothing wrong';
