import type { Domain } from '../catalog/model.ts';
import { CAPTURES, type DomainView } from '../toolstacks/port.ts';
import { bytes, columns } from './format.ts';
import type { Style } from './output.ts';

/** How a domain stands, and what works on it, for people. */
export function domainText(domain: Domain, view: DomainView, style: Style): string {
  const yes = (works: boolean, why: string) =>
    works
      ? `${style('green', 'works')}${why ? style('dim', ` · ${why}`) : ''}`
      : `${style('yellow', 'no')} · ${why}`;
  const rows: (readonly [string, string])[] = [
    ['state', view.runState === 'other' ? view.rawState : view.runState],
    ['toolstack', `${domain.toolstack} ${view.version}`],
    ...(view.memoryBytes > 0 ? [['memory', bytes(view.memoryBytes)] as const] : []),
    ['current', domain.current ?? '-'],
    ...domain.disks.flatMap(({ device, head }) => {
      const chain = view.disks.find(disk => disk.device === device)?.chain ?? [];
      return [
        [device, `${head.path} (${head.format})`] as const,
        ...chain.slice(1).map(({ path, format }) => ['', `on ${path} (${format})`] as const),
      ];
    }),
    ...CAPTURES.map(capture => {
      const { works, why } = view.captures[capture];
      return [`memory ${capture}`, yes(works, why)] as const;
    }),
    ['guest agent', yes(view.agent.answers, view.agent.why)],
    ...view.jobs.map(({ id, kind, status }) => ['job', `${id} (${kind}, ${status})`] as const),
  ];
  const lines = columns(rows.map(([key, value]) => [`  ${style('dim', key)}`, value]));
  return [style('bold', domain.name), ...lines].join('\n');
}
