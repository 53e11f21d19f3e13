import type { Round } from './round.ts';
import { VICTIMS } from './victims.ts';

/** A round that ended with a broken promise. */
export interface Violation {
  readonly round: number;
  readonly what: string;
}

/** The campaign's table: cases by victims, kills that struck / rounds, and how the operations ended. */
export function table(rounds: readonly Round[]): string {
  const cases = [...new Set(rounds.map(one => one.case))].sort();
  const heading = ['case', ...VICTIMS, 'done', 'as before', 'attention', 'not begun'];
  const rows = cases.map(id => {
    const mine = rounds.filter(one => one.case === id);
    const ended = (...outcomes: Round['outcome'][]) =>
      String(mine.filter(({ outcome }) => outcomes.includes(outcome)).length);
    const struck = VICTIMS.map(victim => {
      const those = mine.filter(one => one.victim === victim);
      return those.length === 0 ? '–' : `${those.filter(one => one.struck).length}/${those.length}`;
    });
    return [
      id,
      ...struck,
      ended('committed'),
      ended('rolledBack'),
      ended('needsAttention', 'open'),
      ended('none'),
    ];
  });
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(heading), line(heading.map(() => '---')), ...rows.map(line)].join('\n');
}

/** How long guests stood still after a kill. */
export function standstills(rounds: readonly Round[]): string {
  const all = rounds.flatMap(({ standstillMs }) => standstillMs ?? []).sort((a, b) => a - b);
  if (all.length === 0) return 'no guest stood still when it struck';
  const median = all[Math.floor(all.length / 2)]?.toFixed(0);
  return `kill to running guest: ${all.length} stood still, median ${median} ms, worst ${all.at(-1)?.toFixed(0)} ms`;
}
