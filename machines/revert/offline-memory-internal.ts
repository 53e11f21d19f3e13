import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'revert.offline.memory.internal',
  version: 1,
  title: 'Revert of a domain that is off to a checkpoint, internal disks',
  story: `The internal snapshots are put in the disks’ place, where their images have no children, and
copied out into new heads where they have; the domain starts on them with the saved memory,
standing still. Until that has worked, all can be taken back; then the heads are recorded and
the guest goes on from the instant of the checkpoint. What the disks held before stays in the
tree as a branch.`,
  steps: [
    step('validateSnapshot'),
    step('prepareHeads', { undo: 'discardHeads' }),
    step('keepAbandoned', { undo: 'dropAbandoned' }),
    step('applyTags', { undo: 'reapplyAbandoned' }),
    step('loadMemory', { undo: 'stopDomain' }),
    step('recordHeads', { pivot: true }),
    step('unpauseDomain'),
    step('publish'),
  ],
});
