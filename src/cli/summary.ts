import { dirname } from 'node:path';
import type { Domain } from '../catalog/model.ts';
import type { Plan } from '../plan/plan.ts';
import type { DeleteInput, RevertInput } from '../steps/input.ts';
import { bytes, columns, duration } from './format.ts';
import type { Style } from './output.ts';
import type { Result } from './result.ts';
import type { SnapshotJson } from './snapshot-json.ts';

type Rows = (readonly [string, string])[];

/** What was reached, in a few lines for people. `domain`, `plan`: where they are known. */
export function summaryOf(
  result: Result,
  domain: Domain | undefined,
  plan: Plan | undefined,
  style: Style,
): string {
  const { title, rows } = partsOf(result, domain, plan);
  const all: Rows = [...rows, ...timing(result), ['operation', result.operation]];
  const lines = columns(all.map(([key, value]) => [`  ${style('dim', key)}`, value]));
  return [`${style('green', '✔')} ${style('bold', title)}`, ...lines].join('\n');
}

function partsOf(
  result: Result,
  domain: Domain | undefined,
  plan: Plan | undefined,
): { title: string; rows: Rows } {
  const { domain: of, name, snapshot, domainState } = result;
  if (result.case.startsWith('delete')) {
    const input = plan?.input.operation === 'delete' ? plan.input : undefined;
    const names = input && input.victims.length > 0 ? input.victims : [name];
    const title = `${of}: ${names.join(', ')} ${names.length > 1 ? 'are' : 'is'} deleted`;
    return { title, rows: input ? deleted(input, plan?.bytesToMove ?? 0) : [] };
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
    ? `domsnap undo ${domain} goes back, memory and all: ${input.safety.name} keeps it`
    : `domsnap undo ${domain} goes back to what the disks held`;
  return [
    ['memory', input.memory ? 'loaded: the guest goes on from that instant' : 'not loaded'],
    ...(kept
      ? ([
          ['kept', `${kept} holds what the disks held`],
          ['undo', undo],
        ] as const)
      : []),
  ];
}

function heads(domain: Domain | undefined): Rows {
  return (domain?.disks ?? []).map(({ device, head }) => [device, `writes to ${head.path}`]);
}

function deleted(input: DeleteInput, bytesMoved: number): Rows {
  const { trash, remaining } = input;
  const folders = [...new Set(trash.map(path => dirname(path)))];
  return [
    ['moved', bytesMoved > 0 ? `${bytes(bytesMoved)} merged into images that stay` : 'no data'],
    ...(folders.length > 0
      ? ([['trash', `${trash.length} files, in trash folders in ${folders.join(', ')}`]] as const)
      : []),
    ['left', remaining.length === 0 ? 'no snapshots' : `${remaining.length} snapshots`],
  ];
}

function timing({ guestPauseMs, elapsedMs }: Result): Rows {
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
