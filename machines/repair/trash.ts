import { saga } from '../saga.ts';
import { step } from '../vocabulary.ts';

export default saga({
  id: 'gc.trash',
  version: 1,
  title: 'Purge of files that have lain in the trash for long enough',
  story: `What domsnap needs no more it moves to trash folders beside the images. Here files leave those folders
for good: the ones that were chosen by age and size, after it was proved that no record, no open
operation, no image and no process needs them. Each is looked at once more before it goes.`,
  steps: [step('purgeTrash', { pivot: true })],
});
