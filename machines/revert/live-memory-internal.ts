import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'revert.live.memory.internal',
  version: 1,
  title: 'Revert of a running domain to a checkpoint, internal disks',
  story: `Everything that the snapshot needs is proved while the guest still runs: images, memory file,
devices, space. Only then the running guest is ended: its memory is what a revert gives up. The
internal snapshots are put in the disks’ place, where their images have no children, and copied
out into new heads where they have; the domain starts on them with the saved memory and goes on
from that instant. What the disks held before stays in the tree as a branch.`,
  steps: [
    step('validateSnapshot'),
    step('prepareHeads', { undo: 'discardHeads' }),
    step('stopDomain', { undo: 'letRunOn', pivot: true }),
    step('keepAbandoned'),
    step('applyTags'),
    step('loadMemory', { undo: 'unpauseDomain' }),
    step('recordHeads'),
    step('unpauseDomain'),
    step('publish'),
  ],
});
