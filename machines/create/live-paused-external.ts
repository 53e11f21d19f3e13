import { saga } from '../saga.ts';
import { step, window } from '../vocabulary.ts';

export default saga({
  id: 'create.live.paused.external',
  version: 1,
  title: 'Checkpoint of a running domain, memory saved while it stands still, external disks',
  story: `The simplest and slowest checkpoint: the guest stands still while the disks move to overlays and
its whole memory goes to a file. Chosen by whoever asks for it, and where nothing better works.`,
  steps: [
    step('reserve', { undo: 'releaseReservation' }),
    step('createOverlays', { undo: 'discardOverlays' }),
    step('createMemoryFile', { undo: 'discardMemoryFile' }),
    ...window(
      step('pauseDomain', { undo: 'unpauseDomain' }),
      step('quiesceDisks'),
      step('snapshotDisks', { undo: 'undoDisks' }),
      step('captureMemory', { undo: 'cancelCapture' }),
      step('unpauseDomain'),
    ),
    step('recordHeads', { pivot: true }),
    step('publish'),
  ],
});
