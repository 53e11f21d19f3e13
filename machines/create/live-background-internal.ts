import { saga } from '../saga.ts';
import { step, window } from '../vocabulary.ts';

export default saga({
  id: 'create.live.background.internal',
  version: 1,
  title: 'Checkpoint of a running domain, memory saved in the background, internal disks',
  story: `The guest stops for a moment: the disks take internal snapshots in one transaction, and its
memory is write-protected. It runs again at once, while its memory, as it was at that moment,
goes to a file beside the disks: each page is saved before the guest may change it. If anything
fails before the memory is saved, the disks are put back without losing a write of the guest.`,
  steps: [
    step('reserve', { undo: 'releaseReservation' }),
    step('createMemoryFile', { undo: 'discardMemoryFile' }),
    ...window(
      step('pauseDomain', { undo: 'unpauseDomain' }),
      step('quiesceDisks'),
      step('snapshotDisks', { undo: 'undoDisks' }),
      step('startCapture', { undo: 'cancelCapture' }),
      step('unpauseDomain'),
    ),
    step('finishCapture'),
    step('publish', { pivot: true }),
  ],
});
