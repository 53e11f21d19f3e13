import createLiveBackgroundExternal from './create/live-background-external.ts';
import createLiveBackgroundInternal from './create/live-background-internal.ts';
import createLiveDiskOnlyExternal from './create/live-disk-only-external.ts';
import createLiveDiskOnlyInternal from './create/live-disk-only-internal.ts';
import createLivePausedExternal from './create/live-paused-external.ts';
import createLivePausedInternal from './create/live-paused-internal.ts';
import createLivePrecopyExternal from './create/live-precopy-external.ts';
import createLivePrecopyInternal from './create/live-precopy-internal.ts';
import createOfflineDiskOnlyExternal from './create/offline-disk-only-external.ts';
import createOfflineDiskOnlyInternal from './create/offline-disk-only-internal.ts';
import deleteLiveChainExternal from './delete/live-chain-external.ts';
import deleteLiveChainInternal from './delete/live-chain-internal.ts';
import deleteLiveChildrenExternal from './delete/live-children-external.ts';
import deleteLiveChildrenInternal from './delete/live-children-internal.ts';
import deleteLiveStandaloneExternal from './delete/live-standalone-external.ts';
import deleteLiveStandaloneInternal from './delete/live-standalone-internal.ts';
import deleteOfflineChainExternal from './delete/offline-chain-external.ts';
import deleteOfflineChainInternal from './delete/offline-chain-internal.ts';
import deleteOfflineChildrenExternal from './delete/offline-children-external.ts';
import deleteOfflineChildrenInternal from './delete/offline-children-internal.ts';
import deleteOfflineStandaloneExternal from './delete/offline-standalone-external.ts';
import deleteOfflineStandaloneInternal from './delete/offline-standalone-internal.ts';
import repairHeads from './repair/heads.ts';
import repairJobs from './repair/jobs.ts';
import repairOrphans from './repair/orphans.ts';
import repairResume from './repair/resume.ts';
import repairThaw from './repair/thaw.ts';
import gcTrash from './repair/trash.ts';
import revertLiveDiskOnlyExternal from './revert/live-disk-only-external.ts';
import revertLiveDiskOnlyInternal from './revert/live-disk-only-internal.ts';
import revertLiveMemoryExternal from './revert/live-memory-external.ts';
import revertLiveMemoryInternal from './revert/live-memory-internal.ts';
import revertOfflineDiskOnlyExternal from './revert/offline-disk-only-external.ts';
import revertOfflineDiskOnlyInternal from './revert/offline-disk-only-internal.ts';
import revertOfflineMemoryExternal from './revert/offline-memory-external.ts';
import revertOfflineMemoryInternal from './revert/offline-memory-internal.ts';
import type { Saga } from './saga.ts';

/** Every case, by its id. */
export const CATALOGUE: ReadonlyMap<string, Saga> = new Map(
  [
    createLiveBackgroundExternal,
    createLiveBackgroundInternal,
    createLiveDiskOnlyExternal,
    createLiveDiskOnlyInternal,
    createLivePausedExternal,
    createLivePausedInternal,
    createLivePrecopyExternal,
    createLivePrecopyInternal,
    createOfflineDiskOnlyExternal,
    createOfflineDiskOnlyInternal,
    revertLiveDiskOnlyExternal,
    revertLiveDiskOnlyInternal,
    revertLiveMemoryExternal,
    revertLiveMemoryInternal,
    revertOfflineDiskOnlyExternal,
    revertOfflineDiskOnlyInternal,
    revertOfflineMemoryExternal,
    revertOfflineMemoryInternal,
    deleteLiveChainExternal,
    deleteLiveChainInternal,
    deleteLiveChildrenExternal,
    deleteLiveChildrenInternal,
    deleteLiveStandaloneExternal,
    deleteLiveStandaloneInternal,
    deleteOfflineChainExternal,
    deleteOfflineChainInternal,
    deleteOfflineChildrenExternal,
    deleteOfflineChildrenInternal,
    deleteOfflineStandaloneExternal,
    deleteOfflineStandaloneInternal,
  ].map(saga => [saga.id, saga]),
);

/** What `doctor --fix` and `gc` run, by its id: no case of the table, but machines as all others. */
export const REPAIRS: ReadonlyMap<string, Saga> = new Map(
  [repairResume, repairThaw, repairJobs, repairHeads, repairOrphans, gcTrash].map(saga => [
    saga.id,
    saga,
  ]),
);

/** Every machine that there is. */
export const MACHINES: ReadonlyMap<string, Saga> = new Map([...CATALOGUE, ...REPAIRS]);

/**
 * Machines of earlier releases, each as it was: an operation that was begun by one goes on under it, for
 * its records make sense to no other. A case that changes moves here with its version, in a file of its
 * own (`machines/earlier/`), and stays as long as an operation of it may be open anywhere.
 */
export const EARLIER: readonly Saga[] = [];

/** Find the machine of a recorded operation. Throws UnknownMachineError. */
export const machineOf = (id: string, version: number): Saga =>
  findMachine([...MACHINES.values(), ...EARLIER], id, version);

/** The same, among the machines that are given. */
export function findMachine(machines: Iterable<Saga>, id: string, version: number): Saga {
  let newest = 0;
  for (const saga of machines) {
    if (saga.id !== id) continue;
    if (saga.version === version) return saga;
    newest = Math.max(newest, saga.version);
  }
  throw new UnknownMachineError(id, version, newest);
}

/** An operation was begun by another domsnap than this one, which cannot go on with it unharmed. */
export class UnknownMachineError extends Error {
  override readonly name = 'UnknownMachineError';
  /** The other one is newer. */
  readonly newer: boolean;

  constructor(id: string, version: number, newest: number) {
    const has = newest === 0 ? 'does not have it' : `has version ${newest}`;
    super(`the case ${id} was begun in version ${version}; this domsnap ${has}`);
    this.newer = newest === 0 || version > newest;
  }
}
