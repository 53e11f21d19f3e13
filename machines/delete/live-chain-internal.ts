import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'delete.live.chain.internal',
  version: 1,
  title: 'Delete of one snapshot of a chain, of a running domain, internal disks',
  story: `Other snapshots stand above or below it, perhaps on several branches; each keeps its content.
Internal snapshots are reference counts inside their images: deleting them moves no data and
touches no other snapshot. What is deleted cannot be brought back, so the victim is marked
first; a memory file goes to the trash.`,
  steps: [
    step('markDissolving', { pivot: true }),
    step('deleteTags'),
    step('trashImages'),
    step('forget'),
  ],
});
