import type { SagaStep } from './saga.ts';

/** How long an effect may take, and what it does, in the field's own words. */
interface Term {
  readonly deadlineMs: number;
  readonly says: string;
  /** It gives the guest its life back. */
  readonly liveness?: true;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** For what moves data: the plan sets a deadline by the bytes; this holds where it knows none. */
const BULK = 12 * 60 * MINUTE;

/** Every effect that a machine can name. The steps of `src/steps/` carry the same names. */
export const VOCABULARY = {
  reserve: { deadlineMs: 10 * SECOND, says: 'take the name in the tree, so that no one else can' },
  releaseReservation: { deadlineMs: 10 * SECOND, says: 'give the name back' },
  createOverlays: {
    deadlineMs: MINUTE,
    says: 'make an empty overlay for each external disk, beside its image, and hand it to the guest’s process unused',
  },
  discardOverlays: { deadlineMs: MINUTE, says: 'move the unused overlays to the trash' },
  createMemoryFile: { deadlineMs: MINUTE, says: 'make the empty file that the memory goes to' },
  discardMemoryFile: { deadlineMs: MINUTE, says: 'move the unfinished memory file to the trash' },
  freezeGuest: {
    deadlineMs: 10 * SECOND,
    says: 'have the guest’s agent freeze its file systems, while it can still answer',
  },
  thawGuest: {
    deadlineMs: 20 * SECOND,
    says: 'have the guest’s agent thaw its file systems',
    liveness: true,
  },
  pauseDomain: { deadlineMs: 10 * SECOND, says: 'stop the guest’s processors' },
  unpauseDomain: {
    deadlineMs: 20 * SECOND,
    says: 'let the guest run again, unless its user had paused it',
    liveness: true,
  },
  quiesceDisks: { deadlineMs: 30 * SECOND, says: 'see that every disk is drained and flushed' },
  snapshotDisks: {
    deadlineMs: 30 * SECOND,
    says: 'take all disks at one instant, in one transaction',
  },
  tagDisks: { deadlineMs: MINUTE, says: 'tag the internal disks of the domain, which is off' },
  undoDisks: {
    deadlineMs: BULK,
    says: 'fold overlays back into their bases and drop internal tags, losing no write of the guest',
  },
  convergeMemory: {
    deadlineMs: 30 * MINUTE,
    says: 'stream the memory out while the guest runs, until little is left and the guest stands still',
  },
  startCapture: {
    deadlineMs: 30 * SECOND,
    says: 'write-protect the memory and begin to save it; the guest may run again at once',
  },
  finishCapture: { deadlineMs: BULK, says: 'wait until the memory is saved, synced and digested' },
  captureMemory: { deadlineMs: BULK, says: 'save the memory while the guest stands still' },
  abandonConvergence: {
    deadlineMs: MINUTE,
    says: 'call the saving of the memory off; a guest that stood still for it runs on',
    liveness: true,
  },
  cancelCapture: { deadlineMs: MINUTE, says: 'call the saving of the memory off' },
  recordHeads: { deadlineMs: 10 * SECOND, says: 'record which image each disk now writes to' },
  publish: { deadlineMs: 10 * SECOND, says: 'make the result visible, with what was reached' },

  validateSnapshot: {
    deadlineMs: BULK,
    says: 'prove that the snapshot is whole: images, memory’s length and digest, devices, space',
  },
  prepareHeads: {
    deadlineMs: BULK,
    says: 'make a new head on each of the snapshot’s images, which stay as they are',
  },
  discardHeads: { deadlineMs: MINUTE, says: 'move the unused new heads to the trash' },
  stopDomain: { deadlineMs: MINUTE, says: 'flush the disks and end the running guest' },
  letRunOn: {
    deadlineMs: 20 * SECOND,
    says: 'let the guest run on that was to be ended',
    liveness: true,
  },
  keepAbandoned: {
    deadlineMs: MINUTE,
    says: 'tag what the disks hold now, so that the revert can be taken back',
  },
  dropAbandoned: { deadlineMs: MINUTE, says: 'drop that tag' },
  applyTags: { deadlineMs: 10 * MINUTE, says: 'put the internal snapshots in the disks’ place' },
  reapplyAbandoned: { deadlineMs: 10 * MINUTE, says: 'put the disks back to what they held' },
  startDomain: { deadlineMs: 2 * MINUTE, says: 'start the domain on its heads' },
  loadMemory: {
    deadlineMs: 30 * MINUTE,
    says: 'start the domain on its new heads with the saved memory, standing still',
  },

  mergeUp: {
    deadlineMs: BULK,
    says: 'copy the victim’s data up into each child that needs it, leaving the victim untouched',
  },
  cancelMergeUp: { deadlineMs: MINUTE, says: 'call the copying off; the children stay right' },
  markDissolving: {
    deadlineMs: 10 * SECOND,
    says: 'mark the victim as dissolving: from here on nobody may revert to it',
  },
  mergeDown: {
    deadlineMs: BULK,
    says: 'write the child’s data down into the victim’s image, which takes the child’s place',
  },
  pivotMerges: {
    deadlineMs: MINUTE,
    says: 'let the disks go over to the merged images, all together, and move the stale heads away',
  },
  closeMerged: {
    deadlineMs: MINUTE,
    says: 'forget the jobs of the merges, and let go of the images that the disks have left',
  },
  deleteTags: { deadlineMs: 10 * MINUTE, says: 'delete the internal snapshots from their images' },
  trashImages: { deadlineMs: MINUTE, says: 'move what nothing needs any more to the trash' },
  forget: { deadlineMs: 10 * SECOND, says: 'take the snapshot out of the tree' },

  thawFileSystems: {
    deadlineMs: 20 * SECOND,
    says: 'have the guest’s agent thaw file systems that nothing holds frozen',
  },
  endJobs: { deadlineMs: MINUTE, says: 'end block jobs that no operation waits for' },
  correctHeads: {
    deadlineMs: 10 * SECOND,
    says: 'record the images that the running domain writes to',
  },
  trashOrphans: { deadlineMs: MINUTE, says: 'move files that nothing owns to the trash' },
  purgeTrash: {
    deadlineMs: 60 * MINUTE,
    says: 'remove files from the trash for good, each looked at once more',
  },
} as const satisfies Record<string, Term>;

/** The name of an effect. */
export type StepName = keyof typeof VOCABULARY;

/** How a case file names a step: with its compensation and its place. */
export interface StepOptions {
  readonly undo?: StepName;
  readonly pivot?: true;
}

/** A step of a case, as the vocabulary knows it. */
export function step(name: StepName, options: StepOptions = {}): SagaStep {
  const { undo, ...rest } = options;
  return {
    name,
    ...plain(VOCABULARY[name]),
    ...rest,
    ...(undo ? { undo: { name: undo, ...VOCABULARY[undo] } } : {}),
  };
}

/** Mark steps as the window, in which the guest may stand still. */
export function window(...steps: readonly SagaStep[]): readonly SagaStep[] {
  return steps.map(inside => ({ ...inside, window: true as const }));
}

const plain = ({ deadlineMs, says }: Term): Pick<Term, 'deadlineMs' | 'says'> => ({
  deadlineMs,
  says,
});
