import type { Match } from './rounds.ts';
import { spreadOf } from './statistics.ts';
import { shownNumber } from './table.ts';

/** Where the time of an operation goes: medians of each step, domsnap's and the floor's, in ms. */
export function stepTable(
  { caseId, domsnap, library, floor }: Match,
  memoryMb: number | null,
): string {
  const names = [...new Set(domsnap.flatMap(({ stepsMs }) => Object.keys(stepsMs)))];
  const ms = (samples: Match['domsnap'], step: string): number => {
    const values = samples.map(({ stepsMs }) => stepsMs[step] ?? 0);
    return values.length === 0 ? 0 : spreadOf(values).median;
  };
  const before = (samples: Match['domsnap']): number => {
    const values = samples.map(
      ({ wallMs, stepsMs }) => wallMs - Object.values(stepsMs).reduce((sum, each) => sum + each, 0),
    );
    return values.length === 0 ? 0 : spreadOf(values).median;
  };
  const rows = [
    ['lock, survey, plan', before(domsnap), before(library), 0] as const,
    ...names.map(name => [name, ms(domsnap, name), ms(library, name), ms(floor, name)] as const),
  ];
  const lines = rows.map(
    ([name, ...all]) => `| ${name} | ${all.map(one => shownNumber(one, 'ms')).join(' | ')} |`,
  );
  const title = `${caseId}${memoryMb === null ? '' : `, ${memoryMb} MiB`}`;
  return [
    `### ${title}`,
    '',
    '| step | fresh command ms | running process ms | floor ms |',
    '| --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}
