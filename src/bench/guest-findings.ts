import type { Sample } from './contest.ts';
import { atMostMore, atMostTimes, type Finding, type Series, series } from './findings.ts';
import type { Fsyncs } from './fsyncs.ts';
import type { Match } from './rounds.ts';
import type { VirshSample, VirshWay } from './virsh-rounds.ts';

const FLOOR = 'floor';
const MIB = 1024 * 1024;

/** What a match comes to: the guest's pause, the operation's wall time, and the whole command's. */
export function matchFindings(
  part: string,
  match: Match,
  memoryMb: number | null,
  note?: string,
): Finding[] {
  const { caseId, domsnap, library, floor } = match;
  const common = { part, memoryMb, unit: 'ms' as const, against: FLOOR };
  const what = (text: string): string => `${caseId}${note ? `, ${note}` : ''}: ${text}`;
  const pauses = stands([...domsnap, ...floor]) ? pausesOf(match) : [];
  const wall = pair(library, floor, ({ wallMs }) => wallMs);
  const command = pair(domsnap, floor, ({ wallMs }) => wallMs);
  const whole = series(domsnap.flatMap(({ commandMs }) => commandMs ?? []));
  return [
    ...pauses.map(({ text, verdicts, ...both }) => ({
      ...common,
      ...both,
      what: what(text),
      verdicts,
    })),
    {
      ...common,
      ...wall,
      what: what(`wall, ${RUNNING}`),
      verdicts: atMostMore(wall.domsnap, wall.other, 50, 'floor + 50 ms'),
    },
    { ...common, ...command, what: what('wall, by a fresh command'), verdicts: [] },
    {
      ...common,
      what: what('command, process start included'),
      domsnap: whole,
      other: wall.other,
      verdicts: [],
    },
  ];
}

const RUNNING = 'in a process that runs already';

function pausesOf({ caseId, domsnap, library, floor }: Match) {
  const pauseOf = ({ pauseMs }: Sample) => pauseMs ?? 0;
  const command = pair(domsnap, floor, pauseOf);
  const running = pair(library, floor, pauseOf);
  const times = ({ domsnap: own, other }: typeof command) =>
    caseId === MAIN_CASE ? atMostTimes(own, other, 1.3, 'floor × 1.3') : [];
  return [
    { ...command, text: 'guest pause, by a fresh command', verdicts: times(command) },
    {
      ...running,
      text: `guest pause, ${RUNNING}`,
      verdicts: [
        ...times(running),
        ...atMostMore(running.domsnap, running.other, 5, 'floor + 5 ms'),
      ],
    },
  ];
}

/** The case that virsh can be compared with best. */
export const MAIN_CASE = 'create.live.background.external';

const stands = (samples: readonly Sample[]): boolean =>
  samples.some(({ pauseMs }) => pauseMs !== null && pauseMs > 0);

function pair(
  own: readonly Sample[],
  other: readonly Sample[],
  of: (sample: Sample) => number,
): { domsnap: Series | null; other: Series | null } {
  return { domsnap: series(own.map(of)), other: series(other.map(of)) };
}

/** How the same snapshot by virsh compares; `samples` by way. */
export function virshFindings(
  match: Match,
  remove: Match,
  samples: ReadonlyMap<VirshWay, readonly VirshSample[]>,
  memoryMb: number,
  note: string,
): Finding[] {
  const common = { part: 'virsh', memoryMb, unit: 'ms' as const };
  const pauses = series(match.domsnap.map(({ pauseMs }) => pauseMs ?? 0));
  const walls = series(match.domsnap.map(({ commandMs }) => commandMs ?? 0));
  const findings: Finding[] = [];
  for (const [way, found] of samples) {
    const by = `virsh ${way}`;
    const pause = series(found.map(({ pauseMs }) => pauseMs));
    const times = way === 'not live' ? 1 / 20 : 1 / 3;
    const limit = way === 'not live' ? 'virsh / 20' : 'virsh / 3';
    // A disk-only snapshot by virsh saves no memory, and is shown for its own sake.
    const limited = memoryMb >= 1024 && note === IDLE && way !== 'disk-only';
    findings.push(
      {
        ...common,
        what: `${match.caseId}, ${note}: guest pause`,
        domsnap: pauses,
        against: by,
        other: pause,
        verdicts: limited ? atMostTimes(pauses, pause, times, limit) : [],
      },
      {
        ...common,
        what: `${match.caseId}, ${note}: command`,
        domsnap: walls,
        against: by,
        other: series(found.map(({ wallMs }) => wallMs)),
        verdicts: [],
        note: 'virsh does not sync the memory file, nor digest it',
      },
      {
        ...common,
        what: `${match.caseId}, ${note}: memory file`,
        unit: 'MiB',
        domsnap: sizes(match.domsnap),
        against: by,
        other: sizes(found),
        verdicts: [],
      },
    );
  }
  const deletes = [...samples.values()].flat();
  const refusal = deletes.find(sample => sample.refusal !== null)?.refusal;
  findings.push({
    ...common,
    what: `${remove.caseId}, ${note}: command`,
    domsnap: series(remove.domsnap.flatMap(({ commandMs }) => commandMs ?? [])),
    against: 'virsh snapshot-delete',
    other: series(deletes.flatMap(({ deleteMs }) => deleteMs ?? [])),
    verdicts: [],
    ...(refusal ? { note: `virsh refuses: ${refusal}` } : {}),
  });
  return findings;
}

/** The guest does nothing but tick. */
export const IDLE = 'idle guest';

/** Whether a guest that keeps writing its memory makes a difference, to domsnap or to virsh. */
export function dirtyFindings(
  by: string,
  [idle, dirty]: readonly [readonly Pausing[], readonly Pausing[]],
  memoryMb: number,
  rate: string,
): Finding[] {
  const isOurs = by === 'domsnap';
  const pauses = [idle, dirty].map(all => series(all.map(({ pauseMs }) => pauseMs ?? 0)));
  const files = [sizes(idle), sizes(dirty)];
  const what = (text: string) => `${by}, guest writing ${rate}: ${text}`;
  const common = { part: 'dirtying', memoryMb, against: 'the same, idle guest' };
  const [pauseIdle = null, pauseDirty = null] = pauses;
  const [fileIdle = null, fileDirty = null] = files;
  return [
    {
      ...common,
      what: what('guest pause'),
      unit: 'ms',
      domsnap: pauseDirty,
      other: pauseIdle,
      verdicts: isOurs ? atMostTimes(pauseDirty, pauseIdle, 1.3, 'idle × 1.3') : [],
    },
    {
      ...common,
      what: what('memory file'),
      unit: 'MiB',
      domsnap: fileDirty,
      other: fileIdle,
      verdicts: isOurs ? atMostTimes(fileDirty, fileIdle, 1.05, 'idle × 1.05') : [],
    },
  ];
}

type Pausing = { readonly pauseMs: number | null; readonly memoryBytes: number | null };

const sizes = (samples: readonly Pick<Pausing, 'memoryBytes'>[]): Series | null =>
  series(samples.flatMap(({ memoryBytes }) => (memoryBytes === null ? [] : memoryBytes / MIB)));

/** What strace saw of one command. */
export function fsyncFindings(caseId: string, found: Fsyncs | null): Finding[] {
  const common = { part: 'fsyncs', memoryMb: null, against: '', other: null, verdicts: [] };
  const one = (what: string, values: readonly number[], note?: string): Finding => ({
    ...common,
    what: `${caseId}: ${what}`,
    unit: 'count',
    domsnap: series(values),
    note,
  });
  if (!found) return [one('not counted', [], 'there is no strace, or it may not trace')];
  const steps = Object.keys(found.ran.stepsMs).length;
  return [
    one(
      `engine, an operation of ${steps} steps`,
      [found.journal],
      'fsync and fdatasync, by strace',
    ),
    one('images, memory file and folders', [found.files]),
  ];
}
