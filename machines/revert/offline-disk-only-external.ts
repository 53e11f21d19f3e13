import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'revert.offline.disk-only.external',
  version: 1,
  title: 'Revert of a domain that is off to the disks of a snapshot, external disks',
  story: `New heads are made over the snapshot’s images, which stay as they are. Nothing runs, so
everything before the record of the new heads can be taken back. The domain stays off, unless it
is to boot. What the disks held before stays in the tree as a branch.`,
  steps: [
    step('validateSnapshot'),
    step('prepareHeads', { undo: 'discardHeads' }),
    step('keepAbandoned', { undo: 'dropAbandoned' }),
    step('applyTags', { undo: 'reapplyAbandoned' }),
    step('recordHeads', { pivot: true }),
    step('startDomain'),
    step('publish'),
  ],
});
