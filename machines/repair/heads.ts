import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'repair.heads',
  version: 1,
  title: 'Repair of recorded heads that the running domain proves wrong',
  story: `Somebody took a snapshot behind domsnap’s back: the running domain writes to an image that stands on
the recorded head. Started on the recorded head, the domain would lose all that it has written
since, so the record follows the domain. No image is touched.`,
  steps: [step('correctHeads', { pivot: true })],
});
