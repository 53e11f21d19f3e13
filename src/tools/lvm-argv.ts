import type { LvName } from './lvm-name.ts';
import type { Argv } from './run.ts';

/** `VG/LV`, as LVM's commands take it. */
export const fullName = ({ vg, lv }: LvName): string => `${vg}/${lv}`;

/** A new volume with the content of another. Never asks: a question would wait for ever. */
export interface NewSnapshot {
  readonly of: LvName;
  readonly name: string;
  /** Of a classic one: room for what changes; a thin one takes its room from the pool. */
  readonly roomBytes?: number | undefined;
  readonly tags: readonly string[];
  /** Thin ones sleep until somebody asks for them; one that is to be a disk must not. */
  readonly awake?: boolean;
}

/** lvcreate(8), `--snapshot`. */
export function lvcreateArgv({ of, name, roomBytes, tags, awake }: NewSnapshot): Argv {
  return [
    ...(['lvcreate', '-y', '-qq', '--snapshot', '--name', name] as const),
    ...(roomBytes === undefined ? [] : ['--size', `${roomBytes}b`]),
    ...(awake ? ['--setactivationskip', 'n', '--activate', 'y'] : []),
    ...tags.flatMap(tag => ['--addtag', tag]),
    fullName(of),
  ];
}

/** lvremove(8). Refuses what somebody has open. */
export const lvremoveArgv = (volume: LvName): Argv => ['lvremove', '-y', '-qq', fullName(volume)];

/**
 * lvconvert(8), `--merge`: a snapshot's content takes its origin's place, and the snapshot goes. It looks
 * each second whether that is over, instead of each 15.
 */
export const lvmergeArgv = (snapshot: LvName): Argv => [
  ...(['lvconvert', '-y', '-qq', '--interval', '1', '--merge'] as const),
  fullName(snapshot),
];

/** lvrename(8). */
export const lvrenameArgv = ({ vg, lv }: LvName, to: string): Argv => [
  ...(['lvrename', '-qq', vg] as const),
  lv,
  to,
];

/** lvchange(8), with what is to change. */
export const lvchangeArgv = (volume: LvName, ...change: readonly string[]): Argv => [
  ...(['lvchange', '-y', '-qq'] as const),
  ...change,
  fullName(volume),
];
