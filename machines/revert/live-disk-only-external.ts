import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'revert.live.disk-only.external',
  version: 1,
  title: 'Revert of a running domain to the disks of a snapshot, external disks',
  story: `Everything that the snapshot needs is proved while the guest still runs; then it is ended, since
the disks change under it. New heads are made over the snapshot’s images, which stay as they
are, and the domain boots from them, unless it is to stay off. What the disks held before stays
in the tree as a branch.`,
  steps: [
    step('validateSnapshot'),
    step('prepareHeads', { undo: 'discardHeads' }),
    step('stopDomain', { undo: 'letRunOn', pivot: true }),
    step('keepAbandoned'),
    step('applyTags'),
    step('recordHeads'),
    step('startDomain'),
    step('publish'),
  ],
});
