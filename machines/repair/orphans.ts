import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'repair.orphans',
  version: 1,
  title: 'Repair of files that an operation which was taken back has left behind',
  story: `The files bear the id of an operation of this journal that was rolled back; no snapshot, no head and
no image’s base names them, and no process has them open. They go to the trash beside them, from
where they can be brought back until they are purged.`,
  steps: [step('trashOrphans', { pivot: true })],
});
