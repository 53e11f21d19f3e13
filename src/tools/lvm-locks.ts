import type { LvmCall } from './lvm-report.ts';
import { run } from './run.ts';
import { ToolError } from './tool-error.ts';

const TIMEOUT_MS = 30_000;

/**
 * The ids of the volumes that lvmlockd holds for this host alone, as long as they are active
 * (lvmlockctl(8), `--info`); none where there is no lvmlockd. LVM's own report is no answer: it calls a volume
 * "active exclusively" that is active under a shared lock, too (measured on 2.03.16).
 */
export async function lockedHereAlone({ log, signal }: LvmCall): Promise<ReadonlySet<string>> {
  try {
    const { stdout } = await run(['lvmlockctl', '--info'], { timeoutMs: TIMEOUT_MS, log, signal });
    return parseLocks(stdout);
  } catch (error) {
    const nobody = error instanceof ToolError && ['missing', 'failed'].includes(error.code);
    if (nobody) return new Set();
    throw error;
  }
}

/** Read what `lvmlockctl --info` printed: `LK LV ex ID` for a lock that no other host can get. */
export function parseLocks(stdout: string): ReadonlySet<string> {
  return new Set([...stdout.matchAll(/^LK LV ex (\S+)/gm)].map(([, id]) => id!));
}
