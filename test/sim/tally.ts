import type { Played } from './schedule.ts';

/** What many schedules have come to. */
export interface Tally {
  schedules: number;
  operations: number;
  refused: number;
  upgraded: number;
  /** By case: how many operations came to which outcome. */
  readonly outcomes: Map<string, Map<string, number>>;
  readonly struck: Map<string, number>;
  /** By seed, what was wrong. */
  readonly wrong: Map<number, readonly string[]>;
}

/** Nothing yet. */
export const emptyTally = (): Tally => ({
  schedules: 0,
  operations: 0,
  refused: 0,
  upgraded: 0,
  outcomes: new Map(),
  struck: new Map(),
  wrong: new Map(),
});

/** Add what one schedule has come to. */
export function add(tally: Tally, played: Played): void {
  tally.schedules += 1;
  tally.operations += played.operations;
  tally.refused += played.refused;
  tally.upgraded += played.upgraded;
  for (const [key, times] of played.outcomes) {
    const [id = '', outcome = ''] = key.split(' ');
    const of = tally.outcomes.get(id) ?? new Map<string, number>();
    tally.outcomes.set(id, of);
    of.set(outcome, (of.get(outcome) ?? 0) + times);
  }
  for (const [kind, times] of played.struck) {
    tally.struck.set(kind, (tally.struck.get(kind) ?? 0) + times);
  }
  if (played.wrong.length > 0) tally.wrong.set(played.seed, played.wrong);
}

const OUTCOMES = ['committed', 'rolledBack', 'needsAttention', 'bug'];

/** The tally as a table for people. */
export function table({ outcomes, struck, ...tally }: Tally, seconds: number): string {
  const rows = [...outcomes].sort(([a], [b]) => (a < b ? -1 : 1));
  const width = Math.max(4, ...rows.map(([id]) => id.length));
  const line = (name: string, cells: readonly (string | number)[]) =>
    [name.padEnd(width), ...cells.map(cell => String(cell).padStart(15))].join('');
  const rate = (tally.operations / seconds).toFixed(0);
  const faults = [...struck].sort(([, a], [, b]) => b - a).map(([kind, n]) => `${n} × ${kind}`);
  return [
    line('case', OUTCOMES),
    ...rows.map(([id, of]) =>
      line(
        id,
        OUTCOMES.map(outcome => of.get(outcome) ?? 0),
      ),
    ),
    '',
    `${tally.operations} operations in ${tally.schedules} schedules, ${seconds.toFixed(1)} s: ${rate} operations a second`,
    `${tally.refused} requests refused; ${tally.upgraded} operations went on under an older version of their case`,
    `faults that struck: ${faults.join(', ')}`,
    `${tally.wrong.size} schedules broke a promise`,
  ].join('\n');
}
