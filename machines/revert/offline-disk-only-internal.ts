import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'revert.offline.disk-only.internal',
  version: 1,
  title: 'Revert of a domain that is off to the disks of a snapshot, internal disks',
  story: `The internal snapshots are put in the disks’ place, where their images have no children, and
copied out into new heads where they have. Nothing runs, so everything before the record of the
new heads can be taken back. The domain stays off, unless it is to boot. What the disks held
before stays in the tree as a branch.`,
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
