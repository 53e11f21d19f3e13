import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'create.offline.disk-only.external',
  version: 1,
  title: 'Disk-only snapshot of a domain that is off, external disks',
  story: `Nobody writes: each disk gets an overlay, and from the record of the new heads on the domain
starts on the overlays, while the images below hold the snapshot.`,
  steps: [
    step('reserve', { undo: 'releaseReservation' }),
    step('createOverlays', { undo: 'discardOverlays' }),
    step('tagDisks', { undo: 'undoDisks' }),
    step('recordHeads', { pivot: true }),
    step('publish'),
  ],
});
