import { type RunOptions, run } from './run.ts';
import { ToolError } from './tool-error.ts';

/** udev is given this long, in seconds. */
const PATIENCE_S = 5;

/**
 * Wait until udev has handled what there was when this was called (udevadm(8), `settle`): it opens each block
 * device that is new or was written to, for some milliseconds, to see what is on it. That it
 * cannot be waited for is no error: whoever waits looks again in any case.
 */
export async function settleUdev(call: Pick<RunOptions, 'log' | 'signal'>): Promise<void> {
  const timeoutMs = (PATIENCE_S + 5) * 1_000;
  try {
    await run(['udevadm', 'settle', `--timeout=${PATIENCE_S}`], {
      ...call,
      timeoutMs,
      okExits: [0, 1],
    });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
  }
}
