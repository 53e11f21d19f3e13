import { run } from '../../../src/tools/run.ts';
import { CLI } from '../../command-line.ts';

const log = () => {};
const timeoutMs = 90_000;

/** Run a program of the lab host; its output. Throws ToolError. */
export async function sh(command: string, okExits: readonly number[] = [0]): Promise<string> {
  const { stdout } = await run(['sh', '-c', command], { timeoutMs, log, okExits });
  return stdout.trim();
}

/** Run domsnap as it is published; what it printed, and how it ended. */
export async function domsnap(...args: string[]): Promise<{ status: number; said: string }> {
  const okExits = [0, 1, 2, 3, 4, 5, 6, 7];
  const { exitCode, stdout, stderr } = await run(['node', CLI, ...args], {
    timeoutMs,
    log,
    okExits,
  });
  return { status: exitCode, said: `${stdout}${stderr}` };
}
