import { saga } from '../saga.ts';
import { step, window } from '../vocabulary.ts';

export default saga({
  id: 'create.live.disk-only.external',
  version: 1,
  title: 'Disk-only snapshot of a running domain, external disks',
  story: `The guest’s agent freezes the file systems while it can still answer; then the guest stops for a
moment, and the disks move to overlays in one transaction. From that instant the snapshot
exists: the guest runs and thaws, and the records follow.`,
  steps: [
    step('reserve', { undo: 'releaseReservation' }),
    step('createOverlays', { undo: 'discardOverlays' }),
    step('freezeGuest', { undo: 'thawGuest' }),
    ...window(
      step('pauseDomain', { undo: 'unpauseDomain' }),
      step('quiesceDisks'),
      step('snapshotDisks', { undo: 'undoDisks', pivot: true }),
      step('unpauseDomain'),
    ),
    step('thawGuest'),
    step('recordHeads'),
    step('publish'),
  ],
});
