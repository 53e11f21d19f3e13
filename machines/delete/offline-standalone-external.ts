import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'delete.offline.standalone.external',
  version: 1,
  title: 'Delete of a snapshot that stands alone, of a domain that is off, external disks',
  story: `The tree has no other snapshot. Data that other images still need is copied up into them by
rebase, which only reads the victim, or the child is written down into the victim’s image where
that is cheaper: that cannot be taken back, so the victim is marked as dissolving first.`,
  steps: [
    step('mergeUp', { undo: 'cancelMergeUp' }),
    step('markDissolving', { pivot: true }),
    step('mergeDown'),
    step('recordHeads'),
    step('deleteTags'),
    step('trashImages'),
    step('forget'),
  ],
});
