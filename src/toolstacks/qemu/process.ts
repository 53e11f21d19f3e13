import { readFileSync, readlinkSync } from 'node:fs';
import { argvOf, processAlive, processStartTicks } from '../../tools/process.ts';

/** One QEMU process, named for ever: pids are used again. */
export interface QemuProcess {
  readonly pid: number;
  readonly startTicks: number;
}

/** The folder from which a process understands relative paths; `/` where that cannot be seen. */
export function folderOf(pid: number | null): string {
  try {
    return pid === null ? '/' : readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '/';
  }
}

/** The process with this pid, if it lives. */
export function processOf(pid: number | null): QemuProcess | null {
  if (pid === null) return null;
  const startTicks = processStartTicks(pid);
  return startTicks === null ? null : { pid, startTicks };
}

/**
 * The QEMU that was started with this pid file, and lives. QEMU writes the file itself and leaves it
 * behind when it is killed: a file alone proves nothing.
 */
export function processOfPidFile(pidFile: string): QemuProcess | null {
  let pid: number;
  try {
    pid = Number(readFileSync(pidFile, 'utf8'));
  } catch {
    return null;
  }
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  return argvOf(pid)?.includes(pidFile) ? processOf(pid) : null;
}

export const alive = ({ pid, startTicks }: QemuProcess): boolean => processAlive(pid, startTicks);

/** Whether they are one and the same; none is the same as none. */
export const sameProcess = (
  one: QemuProcess | null | undefined,
  other: QemuProcess | null | undefined,
): boolean => one?.pid === other?.pid && one?.startTicks === other?.startTicks;
