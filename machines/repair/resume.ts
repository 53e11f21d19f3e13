import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'repair.resume',
  version: 1,
  title: 'Repair of a guest that stands still though no operation holds it',
  story: `The guest’s processors are stopped and nothing is under way that would let them run. The doctor
repairs this by itself only where the journal proves that domsnap stopped them and never let
them run again; else it is a person who says so. Nothing but the run state changes.`,
  steps: [step('unpauseDomain', { pivot: true })],
});
