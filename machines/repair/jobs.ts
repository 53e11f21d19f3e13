import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'repair.jobs',
  version: 1,
  title: 'Repair of block jobs that a closed operation of domsnap has left behind',
  story: `The jobs bear the id of an operation that has come to its end, so that nobody will end them. Only
those are ended that have finished, or that only read what they copy from: calling them off
leaves every image with its content.`,
  steps: [step('endJobs', { pivot: true })],
});
