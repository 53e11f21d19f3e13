import type { Shape, Storage } from './histories.ts';

/** One case of the catalogue, as a user would bring it about. */
export interface CutCase {
  /** The id in the catalogue, without its storage. */
  readonly id: string;
  readonly storage: Storage;
  readonly shape: Shape;
  readonly live: boolean;
  /** What is typed behind `domsnap`. */
  readonly command: readonly string[];
  /** What the case does, for the judge. */
  readonly does: Doing;
}

export type Doing =
  | { readonly operation: 'create'; readonly name: string; readonly memory: boolean }
  | { readonly operation: 'revert'; readonly name: string }
  | { readonly operation: 'delete'; readonly name: string; readonly children: boolean };

const DISKS: Readonly<Record<Storage, readonly string[]>> = {
  overlay: ['--disks', 'external'],
  internal: ['--disks', 'internal'],
  mixed: ['--disk', 'vda=internal', '--disk', 'vdb=external'],
};

const create = (id: string, storage: Storage, shape: Shape, ...memory: string[]): CutCase => ({
  id,
  storage,
  shape,
  live: id.includes('.live.'),
  command: ['create', 'web', 'new', ...memory, ...DISKS[storage]],
  does: { operation: 'create', name: 'new', memory: !id.includes('disk-only') },
});

const revert = (id: string, storage: Storage, name: string, ...after: string[]): CutCase => ({
  id,
  storage,
  shape: 'tree',
  live: id.includes('.live.'),
  command: ['revert', 'web', name, ...after],
  does: { operation: 'revert', name },
});

const remove = (id: string, storage: Storage, shape: Shape, ...extent: string[]): CutCase => ({
  id,
  storage,
  shape,
  live: id.includes('.live.'),
  command: ['delete', 'web', 'one', ...extent],
  does: { operation: 'delete', name: 'one', children: extent.length > 0 },
});

const inStorage = (storage: Storage): readonly CutCase[] => [
  create('create.live.background', storage, 'tree'),
  create('create.live.precopy', storage, 'shared'),
  create('create.live.paused', storage, 'tree', '--memory', 'paused'),
  create('create.live.disk-only', storage, 'tree', '--memory', 'none'),
  create('create.offline.disk-only', storage, 'tree'),
  revert('revert.live.memory', storage, 'mem'),
  revert('revert.live.disk-only', storage, 'two'),
  revert('revert.offline.memory', storage, 'mem', '--run'),
  revert('revert.offline.disk-only', storage, 'two'),
  remove('delete.live.standalone', storage, 'single'),
  remove('delete.live.chain', storage, 'tree'),
  remove('delete.live.children', storage, 'tree', '--children'),
  remove('delete.offline.standalone', storage, 'single'),
  remove('delete.offline.chain', storage, 'tree'),
  remove('delete.offline.children', storage, 'tree', '--children'),
];

/** Fifteen for each storage; those of `mixed` are cases of external snapshots too. */
export const CUT_CASES: readonly CutCase[] = (['overlay', 'internal', 'mixed'] as const).flatMap(
  inStorage,
);

/** The case's id in the catalogue. */
export const catalogueId = ({ id, storage }: CutCase): string =>
  `${id}.${storage === 'internal' ? 'internal' : 'external'}`;
