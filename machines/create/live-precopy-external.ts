import { saga } from '../saga.ts';
import { step, window } from '../vocabulary.ts';

export default saga({
  id: 'create.live.precopy.external',
  version: 1,
  title: 'Checkpoint of a running domain, memory streamed until it converges, external disks',
  story: `For guests whose memory cannot be write-protected. The memory goes to a file while the guest
runs, and again whatever the guest has changed, until so little is left that the guest can stand
still for it. Then the disks move to overlays in one transaction, the rest of the memory
follows, and the guest runs again.`,
  steps: [
    step('reserve', { undo: 'releaseReservation' }),
    step('createOverlays', { undo: 'discardOverlays' }),
    step('createMemoryFile', { undo: 'discardMemoryFile' }),
    ...window(
      step('convergeMemory', { undo: 'abandonConvergence' }),
      step('snapshotDisks', { undo: 'undoDisks' }),
      step('finishCapture'),
      step('unpauseDomain'),
    ),
    step('recordHeads', { pivot: true }),
    step('publish'),
  ],
});
