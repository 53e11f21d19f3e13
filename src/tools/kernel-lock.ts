import { existsSync } from 'node:fs';
import type { CallSink } from './call-log.ts';
import { lockConflictExit } from './flock-argv.ts';
import { run } from './run.ts';
import { ToolError } from './tool-error.ts';

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

/**
 * Lock an open file for as long as somebody has this very opening of it: this process, and whoever it hands
 * the descriptor to. `name` is for people. Throws ToolError `busy` where it is locked; `missing` (no flock).
 */
export async function lockOpenFile(fd: number, name: string): Promise<void> {
  const conflict = String(lockConflictExit);
  // It is the file that is open which is locked, and not the process that asks for it.
  const { exitCode } = await run(['flock', '--nonblock', '--conflict-exit-code', conflict, '0'], {
    timeoutMs: 5000,
    log: () => {},
    lockedInput: fd,
    okExits: [0, lockConflictExit],
  });
  if (exitCode === 0) return;
  throw new ToolError('exec', 'busy', `${name} is held: the tool still runs`, { lock: name });
}
