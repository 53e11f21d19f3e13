import { existsSync } from 'node:fs';
import type { CallSink } from './call-log.ts';
import { lockConflictExit } from './flock-argv.ts';
import { run } from './run.ts';

/**
 * Whether a tool that was started with this lock still runs. Takes the lock shared and for an
 * instant, so that two who ask do not see each other; but a tool that starts in that instant finds it
 * busy, so whoever asks must be the only one who could start it (the domain's lock sees to that).
 * Throws ToolError `missing` (no flock), `failed`, `timeout`.
 */
export async function lockHeld(lock: string, log: CallSink): Promise<boolean> {
  if (!existsSync(lock)) return false;
  const conflict = String(lockConflictExit);
  const { exitCode } = await run(
    ['flock', '--shared', '--nonblock', '--conflict-exit-code', conflict, lock, 'true'],
    // Behind a tool that Ctrl-C has ended, the question has to be answered all the same.
    { timeoutMs: 5000, log, okExits: [0, lockConflictExit], ownSession: true },
  );
  return exitCode === lockConflictExit;
}
