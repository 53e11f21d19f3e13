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

/** Find the machine of a recorded operation. Throws where this domsnap does not have it. */
export function machineOf(id: string, version: number): Saga {
  const saga = MACHINES.get(id);
  if (!saga) throw new Error(`this domsnap has no case ${id}`);
  if (saga.version !== version) {
    throw new Error(
      `the case ${id} was begun in version ${version}, this domsnap has ${saga.version}`,
    );
  }
  return saga;
}
