import type { Round } from './round.ts';
import { PARTS } from './stopwatch.ts';

/** A round that ended with a broken promise. */
export interface Violation {
  readonly round: number;
  readonly what: string;
}

/** Cases by blows: those that struck / rounds, and how the operations ended. */
export function table(all: readonly Round[], blows: readonly string[]): string {
  const rounds = all.filter(({ blow }) => blows.includes(blow));
  const cases = [...new Set(rounds.map(one => one.case))].sort();
  const heading = ['case', ...blows, 'done', 'as before', 'not begun', 'asked a person'];
  const rows = cases.map(id => {
    const mine = rounds.filter(one => one.case === id);
    const ended = (...outcomes: Round['outcome'][]) =>
      String(mine.filter(({ outcome }) => outcomes.includes(outcome)).length);
    const struck = blows.map(blow => {
      const those = mine.filter(one => one.blow === blow);
      return those.length === 0 ? '–' : `${those.filter(one => one.struck).length}/${those.length}`;
    });
    return [
      id,
      ...struck,
      ended('committed'),
      ended('rolledBack'),
      ended('none'),
      String(mine.filter(({ attention }) => attention !== null).length),
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

/** Where the time of a round goes. */
export function partsOfARound(rounds: readonly Round[]): string {
  const mean = (part: (typeof PARTS)[number]) =>
    rounds.reduce((sum, { laps }) => sum + laps[part], 0) / Math.max(1, rounds.length);
  return `a round: ${PARTS.map(part => `${part} ${mean(part).toFixed(0)} ms`).join(', ')}`;
}
