import type { Argv } from './run.ts';

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
