import type { StepName } from '../../machines/vocabulary.ts';
import { applyTags, dropAbandoned, keepAbandoned, reapplyAbandoned } from './apply-tags.ts';
import {
  abandonConvergence,
  cancelCapture,
  captureMemory,
  convergeMemory,
  finishCapture,
  startCapture,
} from './capture-memory.ts';
import { createMemoryFile } from './create-memory-file.ts';
import { createOverlays } from './create-overlays.ts';
import { deleteTags } from './delete-tags.ts';
import { discardMemoryFile } from './discard-memory-file.ts';
import { discardOverlays } from './discard-overlays.ts';
import { forget } from './forget.ts';
import { freezeGuest } from './freeze-guest.ts';
import type { Host, HostStep } from './host.ts';
import { markDissolving } from './mark-dissolving.ts';
import { mergeDown } from './merge-down.ts';
import { cancelMergeUp, mergeUp } from './merge-up.ts';
import { pauseDomain, quiesceDisks } from './pause-domain.ts';
import { closeMerged, pivotMerges } from './pivot-merges.ts';
import { discardHeads, prepareHeads } from './prepare-heads.ts';
import { publish } from './publish.ts';
import { recordHeads } from './record-heads.ts';
import { releaseReservation } from './release-reservation.ts';
import { correctHeads, endJobs, purgeTrash, thawFileSystems, trashOrphans } from './repairs.ts';
import { reserve } from './reserve.ts';
import { snapshotDisks } from './snapshot-disks.ts';
import { loadMemory, startDomain } from './start-domain.ts';
import { letRunOn, stopDomain } from './stop-domain.ts';
import { tagDisks } from './tag-disks.ts';
import { thawGuest } from './thaw-guest.ts';
import { trashImages } from './trash-images.ts';
import { undoDisks } from './undo-disks.ts';
import { unpauseDomain } from './unpause-domain.ts';
import { validateSnapshot } from './validate-snapshot.ts';

const STEPS = {
  reserve,
  releaseReservation,
  createOverlays,
  discardOverlays,
  createMemoryFile,
  discardMemoryFile,
  freezeGuest,
  thawGuest,
  pauseDomain,
  unpauseDomain,
  quiesceDisks,
  snapshotDisks,
  tagDisks,
  undoDisks,
  convergeMemory,
  startCapture,
  finishCapture,
  captureMemory,
  abandonConvergence,
  cancelCapture,
  recordHeads,
  publish,
  validateSnapshot,
  prepareHeads,
  discardHeads,
  stopDomain,
  letRunOn,
  keepAbandoned,
  dropAbandoned,
  applyTags,
  reapplyAbandoned,
  startDomain,
  loadMemory,
  mergeUp,
  cancelMergeUp,
  markDissolving,
  mergeDown,
  pivotMerges,
  closeMerged,
  deleteTags,
  trashImages,
  forget,
  thawFileSystems,
  endJobs,
  correctHeads,
  trashOrphans,
  purgeTrash,
} satisfies Record<StepName, (host: Host) => HostStep>;

/** The steps of all machines, acting on one host. */
export function hostSteps(host: Host): Readonly<Record<StepName, HostStep>> {
  const entries = Object.entries(STEPS).map(([name, make]) => [name, make(host)]);
  return Object.fromEntries(entries) as Record<StepName, HostStep>;
}
