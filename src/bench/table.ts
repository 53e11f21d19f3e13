import { type Finding, ratioOf, type Series, type Unit, type Verdict } from './findings.ts';

const heading = ['what', 'guest', 'unit', 'domsnap', 'against', 'its', 'ratio', 'limit', 'n'];

/** The findings as a Markdown table: medians, with the quartiles in brackets. */
export function markdown(findings: readonly Finding[]): string {
  const rows = findings.map(rowOf);
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(heading), line(heading.map(() => '---')), ...rows.map(line)].join('\n');
}

function rowOf(finding: Finding): string[] {
  const { part, what, memoryMb, unit, domsnap, other, against, verdicts, note } = finding;
  const ratio = ratioOf(finding);
  return [
    `${part}: ${what}${note === undefined ? '' : ` (${note})`}`,
    memoryMb === null ? '–' : `${memoryMb} MiB`,
    unit,
    shownSeries(domsnap, unit),
    against || '–',
    shownSeries(other, unit),
    ratio === null ? '–' : ratio >= 0.1 ? ratio.toFixed(2) : ratio.toFixed(3),
    verdicts.map(shownVerdict).join('; ') || '–',
    String(domsnap?.spread.count ?? other?.spread.count ?? 0),
  ].map(text => text.replaceAll('|', '\\|'));
}

function shownSeries(series: Series | null, unit: Unit): string {
  if (!series) return '–';
  const { median, q1, q3, count } = series.spread;
  const [middle, low, high] = [median, q1, q3].map(value => shownNumber(value, unit));
  return count === 1 || (low === high && low === middle)
    ? `${middle}`
    : `${middle} [${low}–${high}]`;
}

/** Three digits that matter; what is counted is shown whole. */
export function shownNumber(value: number, unit: Unit): string {
  if (unit === 'count' && Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

const shownVerdict = ({ limit, holds }: Verdict): string => `${holds ? '✔' : '✘'} ${limit}`;
