import { StepError } from '../../engine/step.ts';
import * as commands from './commands.ts';
import type { Life } from './life.ts';
import { queryJobs } from './query-jobs.ts';

/**
 * For whoever is about to ask QEMU for its block nodes. QEMU 7.2 dies of that question, and its guest with it,
 * while a stream that has come to its end, done or called off, has not been dismissed: until then the stream's
 * filter stands there over no image (measured; bdrv_refresh_filename, cor_getlength). One of domsnap's own is
 * forgotten, for the images say all that there is to know of it. Throws StepError `foreign-job` for another's.
 */
export async function forgetEndedStreams(
  { monitor }: Pick<Life, 'monitor'>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const [jobs] = await monitor.ask([queryJobs], signal);
  const ended = jobs.filter(({ type, status }) => type === 'stream' && status === 'concluded');
  const foreign = ended.find(({ id }) => !id.startsWith('domsnap-'));
  if (foreign) {
    const message = `the block job ${foreign.id} of somebody else has ended and was not dismissed: a QEMU that is asked for its images meanwhile dies with its guest; dismiss it in the monitor (job-dismiss)`;
    throw new StepError('foreign-job', message);
  }
  const dismissals = ended.map(({ id }) => commands.jobCommand('job-dismiss', id));
  if (dismissals.length > 0) await monitor.send(dismissals, signal);
}
