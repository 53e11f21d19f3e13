import { StepError } from '../../engine/step.ts';
import * as commands from './commands.ts';
import type { Life } from './life.ts';
import { type Job, queryJobs } from './query-jobs.ts';
import { until } from './until.ts';

/** A stream in one of these has its images yet. */
const BEFORE_ITS_END = new Set(['created', 'running', 'paused', 'ready', 'standby', 'pending']);
const OVER_MS = 5_000;

/**
 * For whoever is about to ask QEMU for its block nodes. QEMU 7.2 dies of that question, and its guest with it,
 * while a stream that has come to its end, done or called off, has not been dismissed: until then the stream's
 * filter stands there over no image (measured; bdrv_refresh_filename, cor_getlength). One of domsnap's own is
 * forgotten, for the images say all that there is to know of it; another's is waited for.
 * Throws StepError `stream-ending` where that one stays.
 */
export async function streamsAreOver(
  life: Pick<Life, 'monitor' | 'clock' | 'jobsEndThemselves'>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { monitor, jobsEndThemselves } = life;
  const isInTheWay = ({ type, status }: Job) =>
    type === 'stream' && (jobsEndThemselves || !BEFORE_ITS_END.has(status));
  let left = '';
  const ask = async () => {
    const [jobs] = await monitor.ask([queryJobs], signal);
    const waiting = jobs.filter(isInTheWay);
    const own = waiting.filter(
      ({ id, status }) => id.startsWith('domsnap-') && status === 'concluded',
    );
    if (own.length > 0) {
      await monitor.send(
        own.map(({ id }) => commands.jobCommand('job-dismiss', id)),
        signal,
      );
    }
    left = waiting.find(one => !own.includes(one))?.id ?? '';
    return left === '' || undefined;
  };
  const never = new AbortController().signal;
  const what = 'waiting for the end of a block job';
  try {
    await until(life, ask, { signal: signal ?? never, what, firstMs: 5, withinMs: OVER_MS });
  } catch (error) {
    if (!(error instanceof StepError) || error.code !== 'timeout') throw error;
    const message = `the block job ${left} is not over, and QEMU could die of being asked for its images before it is dismissed (job-dismiss)`;
    throw new StepError('stream-ending', message);
  }
}
