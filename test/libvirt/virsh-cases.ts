/** A snapshot as virsh is asked for it, and how the domain is then. */
interface Made {
  readonly live: boolean;
  readonly words: readonly string[];
}

/** How virsh, alone, is asked for what a case of domsnap's does. */
export interface VirshCase {
  /** What is there before: `s1`, `s2`, … are made in turn. */
  readonly before: readonly Made[];
  readonly live: boolean;
  /** Behind the name of the domain; null where virsh has no words for it. */
  readonly ask: readonly [verb: string, ...words: string[]] | null;
}

type Kind = 'external' | 'internal';

const DISK_ONLY: Record<Kind, readonly string[]> = {
  external: ['--disk-only', '--atomic'],
  internal: ['--disk-only', '--diskspec', 'vda,snapshot=internal'],
};

/** All cases, by domsnap's names for them. `folder`: where memory files go. */
export function virshCases(folder: string): ReadonlyMap<string, VirshCase> {
  return new Map([...creates(folder), ...reverts(folder), ...deletes()]);
}

const memorySpec = (folder: string, name: string): string[] => [
  '--memspec',
  `file=${folder}/${name}.memory,snapshot=external`,
];

function creates(folder: string): [string, VirshCase][] {
  const live = (...words: string[]): VirshCase => {
    return { before: [], live: true, ask: ['snapshot-create-as', 's1', ...words] };
  };
  const off = (...words: string[]): VirshCase => ({ ...live(...words), live: false });
  const none: VirshCase = { before: [], live: true, ask: null };
  return [
    // It streams, or saves while the guest stands still; it cannot be told to write-protect memory.
    ['create.live.background.external', none],
    ['create.live.background.internal', none],
    ['create.live.disk-only.external', live(...DISK_ONLY.external)],
    ['create.live.disk-only.internal', live(...DISK_ONLY.internal)],
    ['create.live.paused.external', live(...memorySpec(folder, 's1'), '--atomic')],
    ['create.live.paused.internal', live()],
    ['create.live.precopy.external', live(...memorySpec(folder, 's1'), '--atomic', '--live')],
    ['create.live.precopy.internal', live('--live')],
    ['create.offline.disk-only.external', off(...DISK_ONLY.external)],
    ['create.offline.disk-only.internal', off()],
  ];
}

function reverts(folder: string): [string, VirshCase][] {
  const held: Record<`${'memory' | 'disk-only'}.${Kind}`, Made> = {
    'memory.external': { live: true, words: memorySpec(folder, 's1') },
    'memory.internal': { live: true, words: [] },
    'disk-only.external': { live: true, words: DISK_ONLY.external },
    'disk-only.internal': { live: false, words: [] },
  };
  return (['live', 'offline'] as const).flatMap(state =>
    Object.entries(held).map(([what, made]): [string, VirshCase] => {
      // A domain that is off has made its disk-only snapshots when it was off.
      const first = state === 'offline' && what.startsWith('disk-only') ? false : made.live;
      const before = [{ ...made, live: first }];
      return [
        `revert.${state}.${what}`,
        { before, live: state === 'live', ask: ['snapshot-revert', 's1'] },
      ];
    }),
  );
}

function deletes(): [string, VirshCase][] {
  const extents = { standalone: [1], chain: [2], children: [2, '--children'] } as const;
  return (['live', 'offline'] as const).flatMap(state =>
    Object.entries(extents).flatMap(([extent, [count, ...how]]) =>
      (['external', 'internal'] as const).map((kind): [string, VirshCase] => {
        const live = state === 'live';
        const made: Made = { live, words: kind === 'external' ? DISK_ONLY.external : [] };
        const before = Array.from({ length: count }, () => made);
        return [
          `delete.${state}.${extent}.${kind}`,
          { before, live, ask: ['snapshot-delete', 's1', ...how] },
        ];
      }),
    ),
  );
}
