import type { Json } from '../../engine/json.ts';
import { StepError } from '../../engine/step.ts';
import type { CallContext } from '../port.ts';
import * as commands from './commands.ts';
import type { QemuLife } from './life.ts';
import { alive } from './process.ts';
import { until } from './until.ts';

const GONE_MS = 60_000;

/** Flush the disks and end QEMU; over when its process is gone, and with it every image lock. */
export async function stop(life: QemuLife, { signal }: CallContext): Promise<Json> {
  const { monitor, config } = life;
  if (!(await monitor.reachable(signal))) return { was: 'off' };
  const process = monitor.process();
  await monitor.send([commands.stop], signal);
  // The process may be gone before the answer is here.
  const [answer] = await monitor.try([commands.quit], signal);
  if (answer && !answer.ok && answer.error.code === 'failed') throw answer.error;
  const gone = async () => {
    if (process) return alive(process) ? undefined : true;
    return (await monitor.reachable(signal)) ? undefined : true;
  };
  const what = `waiting for the end of ${config.name}`;
  try {
    await until(life, gone, { signal, what, withinMs: GONE_MS });
  } catch (error) {
    if (!(error instanceof StepError) || error.code !== 'timeout') throw error;
    const message = `QEMU process ${process?.pid ?? '?'} of ${config.name} does not end`;
    throw new StepError('still-running', message, { cause: error });
  } finally {
    monitor.close();
  }
  return { was: 'on' };
}
