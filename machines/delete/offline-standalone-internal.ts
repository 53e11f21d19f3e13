import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'delete.offline.standalone.internal',
  version: 1,
  title: 'Delete of a snapshot that stands alone, of a domain that is off, internal disks',
  story: `The tree has no other snapshot. Internal snapshots are reference counts inside their images:
deleting them moves no data and touches no other snapshot. What is deleted cannot be brought
back, so the victim is marked first; a memory file goes to the trash.`,
  steps: [
    step('markDissolving', { pivot: true }),
    step('deleteTags'),
    step('trashImages'),
    step('forget'),
  ],
});
