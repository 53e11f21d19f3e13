import { existsSync } from 'node:fs';
import type { CallSink } from './call-log.ts';
import { type Argv, run } from './run.ts';

/** flock's exit code when somebody else holds the lock (EX_TEMPFAIL). */
export const lockConflictExit = 75;

/**
 * The command that runs `argv` while it holds a lock on the file `lock` (made if missing; its folder
 * must exist). With `--no-fork` flock becomes the tool: the lock lives exactly as long as the tool
 * and whatever it leaves running.
 */
export function lockedArgv(lock: string, argv: Argv): Argv {
  const conflict = String(lockConflictExit);
  return ['flock', '--nonblock', '--conflict-exit-code', conflict, '--no-fork', lock, ...argv];
}

/**
 * Whether a tool that was started with this lock still runs. Takes the lock shared and for an
 * instant only, so that two who ask do not see each other.
 * Throws ToolError `missing` (no flock), `failed`, `timeout`.
 */
export async function lockHeld(lock: string, log: CallSink): Promise<boolean> {
  if (!existsSync(lock)) return false;
  const conflict = String(lockConflictExit);
  const { exitCode } = await run(
    ['flock', '--shared', '--nonblock', '--conflict-exit-code', conflict, lock, 'true'],
    { timeoutMs: 5000, log, okExits: [0, lockConflictExit] },
  );
  return exitCode === lockConflictExit;
}
