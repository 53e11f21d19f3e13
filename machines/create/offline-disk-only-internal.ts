import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'create.offline.disk-only.internal',
  version: 1,
  title: 'Disk-only snapshot of a domain that is off, internal disks',
  story: `Nobody writes: each disk takes an internal snapshot in turn, and if one cannot, the others drop
theirs.`,
  steps: [
    step('reserve', { undo: 'releaseReservation' }),
    step('tagDisks', { undo: 'undoDisks' }),
    step('publish', { pivot: true }),
  ],
});
