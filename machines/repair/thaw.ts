import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'repair.thaw',
  version: 1,
  title: 'Repair of a guest whose file systems are frozen though no operation holds them',
  story: `The guest’s agent says that file systems are frozen: whatever writes to them waits. The doctor thaws
them by itself only where the journal proves that domsnap froze them and never thawed them; a
backup tool may have reasons of its own, so that else it is a person who says so.`,
  steps: [step('thawFileSystems', { pivot: true })],
});
