import type { LvmCall } from './lvm-report.ts';
import { run } from './run.ts';

const TIMEOUT_MS = 10_000;

/**
 * The ids of the volumes that lvmlockd holds for this host alone, as long as they are active
 * (lvmlockctl(8), `--info`). LVM's own report is no answer: it calls a volume
 * "active exclusively" that is active under a shared lock, too (measured on 2.03.16).
 * Throws ToolError `missing` (no lvm2-lockd), `failed` (no daemon), `timeout`, `aborted`.
 */
export async function lockedHereAlone({ log, signal }: LvmCall): Promise<ReadonlySet<string>> {
  const { stdout } = await run(['lvmlockctl', '--info'], { timeoutMs: TIMEOUT_MS, log, signal });
  return parseLocks(stdout);
}

/** Read what `lvmlockctl --info` printed: `LK LV ex ID` for a lock that no other host can get. */
export function parseLocks(stdout: string): ReadonlySet<string> {
  return new Set([...stdout.matchAll(/^LK LV ex (\S+)/gm)].map(([, id]) => id!));
}
