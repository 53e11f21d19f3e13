import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'delete.offline.chain.external',
  version: 1,
  title: 'Delete of one snapshot of a chain, of a domain that is off, external disks',
  story: `Other snapshots stand above or below it, perhaps on several branches; each keeps its content.
Data that other images still need is copied up into them by rebase, which only reads the victim,
or the child is written down into the victim’s image where that is cheaper: that cannot be taken
back, so the victim is marked as dissolving first.`,
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
