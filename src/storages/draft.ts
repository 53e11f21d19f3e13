import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** The name under which an image is made before it is whole. */
export const draftOf = (path: string): string =>
  join(dirname(path), `.${basename(path)}.domsnap-draft`);

/** Remove what a copy that was cut short has left: nobody has ever relied on it. */
export const dropDraft = (path: string): Promise<void> => rm(draftOf(path), { force: true });
