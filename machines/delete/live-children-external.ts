import { saga } from '../saga.ts';
import { step, window } from '../vocabulary.ts';

export default saga({
  id: 'delete.live.children.external',
  version: 1,
  title: 'Delete of a snapshot and its children, of a running domain, external disks',
  story: `Everything below it goes too; what the domain runs on stays as it is, even where it stands on
them. Data that images on the way to the heads still need is copied up into them by jobs of the
running domain (off the running chain by rebase), which only read the victim and can be called
off. Where it is cheaper, or space is short, the child is written down into the victim’s image
instead: that cannot be taken back, so the victim is marked as dissolving first. The guest
stands still only while the disks go over to merged images.`,
  steps: [
    step('mergeUp', { undo: 'cancelMergeUp' }),
    step('markDissolving', { pivot: true }),
    step('mergeDown'),
    ...window(
      step('pauseDomain', { undo: 'unpauseDomain' }),
      step('pivotMerges'),
      step('unpauseDomain'),
    ),
    step('closeMerged'),
    step('recordHeads'),
    step('deleteTags'),
    step('trashImages'),
    step('forget'),
  ],
});
