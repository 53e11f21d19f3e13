import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StepError } from '../engine/step.ts';
import { fileExists, fileSize, mustBePlain } from '../tools/file-facts.ts';
import { chownLike, createExclusive } from '../tools/files.ts';
import type { CallContext } from '../toolstacks/port.ts';

/**
 * Make a new empty file, 0600, owned like the image beside it, durable. One that exists must be
 * empty. Throws StepError `exists`, `no-space`, `missing`.
 */
export async function createFile(path: string, like: string, { log }: CallContext): Promise<void> {
  // Domsnap's own folder for memory is made when it is first needed; a disk's is there.
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  if (!(await fileExists(path))) await createExclusive(path, 0o600, log);
  else {
    await mustBePlain(path);
    if ((await fileSize(path)).sizeBytes > 0) {
      throw new StepError('exists', `${path} exists, and is not empty`, { retryable: false });
    }
  }
  await chownLike(path, like, log);
}
