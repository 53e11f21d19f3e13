import { dirname } from 'node:path';
import type { Domain } from '../catalog/model.ts';
import type { Plan } from '../plan/plan.ts';
import { typed } from '../plan/typed.ts';
import type { DeleteInput, RevertInput } from '../steps/input.ts';
import { bytes, columns, count, duration } from './format.ts';
import type { Style } from './output.ts';
import type { Result } from './result.ts';
import type { SnapshotJson } from './snapshot-json.ts';

type Rows = (readonly [string, string])[];

/** What a summary is made of, where it is known. */
export interface Known {
  readonly domain: Domain | undefined;
  readonly plan: Plan | undefined;
  /** How many snapshots the domain has now. */
  readonly snapshots: number;
}

/** What was reached, in a few lines for people. */
export function summaryOf(result: Result, known: Known, style: Style): string {
  const { title, rows } = partsOf(result, known);
  const gone: Rows = result.died ? [[style('yellow', 'off'), startHint(result.domain)]] : [];
  const all: Rows = [...rows, ...gone, ...timing(result), ['operation', result.operation]];
  const lines = columns(all.map(([key, value]) => [`  ${style('dim', key)}`, value]));
  return [`${style('green', '✔')} ${style('bold', title)}`, ...lines].join('\n');
}

/** What to type where the domain was to be up. */
export const startHint = (domain: string): string =>
  `its QEMU has gone: ${typed('domain', 'start', domain)} runs it again, on its current heads`;

function partsOf(
  result: Result,
  { domain, plan, snapshots }: Known,
): { title: string; rows: Rows } {
  const { domain: of, name, snapshot, domainState } = result;
  if (result.case.startsWith('delete')) {
    const input = plan?.input.operation === 'delete' ? plan.input : undefined;
    const names = input && input.victims.length > 0 ? input.victims : [name];
    const title = `${of}: ${names.join(', ')} ${names.length > 1 ? 'are' : 'is'} deleted`;
    return { title, rows: input ? deleted(input, plan?.bytesToMove ?? 0, snapshots) : [] };
  }
  if (result.case.startsWith('revert')) {
    const input = plan?.input.operation === 'revert' ? plan.input : undefined;
    const now = { running: 'it runs', paused: 'it stands still', off: 'it is off' }[domainState];
    return {
      title: `${of} is back at ${name}; ${now ?? domainState}`,
      rows: [...reverted(input, of), ...heads(domain)],
    };
  }
  if (result.case.startsWith('gc')) return { title: 'the trash is purged', rows: [] };
  if (result.case.startsWith('repair')) return { title: `${of}: ${name} is repaired`, rows: [] };
  const title = `${of}: snapshot ${name}`;
  return { title, rows: snapshot ? created(snapshot, domain) : [] };
}

const CONSISTENCY: Record<SnapshotJson['consistency'], string> = {
  memory: 'memory: a revert goes on from this very instant',
  'guest-frozen': 'guest-frozen: its file systems were at rest',
  offline: 'offline: the domain was off',
  'crash-consistent': 'crash-consistent: as after a power cut',
};

/** The consistency that was reached, and why it is not better. */
export function consistencyText({ consistency, why }: SnapshotJson): string {
  return why ? `${CONSISTENCY[consistency]} (${why})` : CONSISTENCY[consistency];
}

function created(snapshot: SnapshotJson, domain: Domain | undefined): Rows {
  const { disks, memory } = snapshot;
  const rows: Rows = [['consistency', consistencyText(snapshot)]];
  for (const { device, mode, image, tag } of disks) {
    const head = domain?.disks.find(disk => disk.device === device)?.head.path;
    if (mode === 'none') rows.push([device, 'not part of it']);
    else if (mode === 'internal') rows.push([device, `inside ${image.path}, under the tag ${tag}`]);
    else rows.push([device, image.path], ['', `from now on written to: ${head ?? 'an overlay'}`]);
  }
  if (memory) rows.push(['memory', `${memory.path} (${bytes(memory.bytes)})`]);
  return rows;
}

function reverted(input: RevertInput | undefined, domain: string): Rows {
  if (!input) return [];
  const kept = input.abandoned?.name;
  const undo = input.safety
    ? `${typed('undo', domain)} goes back, memory and all: ${input.safety.name} keeps it`
    : `${typed('undo', domain)} goes back to what the disks held`;
  return [
    ['memory', memoryText(input.memory !== null)],
    ...(kept
      ? ([
          ['kept', `${kept} holds what the disks held`],
          ['undo', undo],
        ] as const)
      : []),
  ];
}

/** What a revert did with memory. */
export const memoryText = (loaded: boolean): string =>
  loaded ? 'loaded: the guest goes on from that instant' : 'not loaded';

function heads(domain: Domain | undefined): Rows {
  return (domain?.disks ?? []).map(({ device, head }) => [device, `writes to ${head.path}`]);
}

function deleted({ trash }: DeleteInput, bytesMoved: number, left: number): Rows {
  const folders = [...new Set(trash.map(path => dirname(path)))];
  return [
    ['moved', bytesMoved > 0 ? `${bytes(bytesMoved)} merged into images that stay` : 'no data'],
    ...(folders.length > 0
      ? ([
          ['trash', `${count(trash.length, 'file')}, in trash folders in ${folders.join(', ')}`],
        ] as const)
      : []),
    ['left', count(left, 'snapshot')],
  ];
}

/** How long it took, and how long the guest stood still for it. */
export function timing({
  guestPauseMs,
  elapsedMs,
}: Pick<Result, 'guestPauseMs' | 'elapsedMs'>): Rows {
  return [
    ...(guestPauseMs === null
      ? []
      : ([
          [
            'guest pause',
            `${guestPauseMs < 10 ? guestPauseMs.toFixed(1) : Math.round(guestPauseMs)} ms`,
          ],
        ] as const)),
    ['took', duration(elapsedMs)],
  ];
}
