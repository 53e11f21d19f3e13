import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'delete.live.children.internal',
  version: 1,
  title: 'Delete of a snapshot and its children, of a running domain, internal disks',
  story: `Everything below it goes too; what the domain runs on stays as it is, even where it stands on
them. Internal snapshots are reference counts inside their images: deleting them moves no data
and touches no other snapshot. What is deleted cannot be brought back, so the victim is marked
first; a memory file goes to the trash.`,
  steps: [
    step('markDissolving', { pivot: true }),
    step('deleteTags'),
    step('trashImages'),
    step('forget'),
  ],
});
