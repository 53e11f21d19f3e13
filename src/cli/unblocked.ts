import { constants, fstatSync, openSync, readFileSync } from 'node:fs';

/**
 * A descriptor of the same file to which a write never waits for a reader; undefined where there is none.
 * A pipe or a terminal is opened once more: the flag would otherwise be that of all processes that have
 * it from the same parent, and of whoever changes it next. A socket can only be used as it is.
 */
export function unblocked(fd: number): number | undefined {
  try {
    if (fstatSync(fd).isFile()) return fd;
    const { O_WRONLY, O_APPEND, O_NONBLOCK, O_NOCTTY } = constants;
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
  } catch {
    return isNonBlocking(fd) ? fd : undefined;
  }
}

/** By its flags, in octal (proc_pid_fdinfo(5)). */
function isNonBlocking(fd: number): boolean {
  try {
    const [, flags = ''] =
      /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? [];
    return (Number.parseInt(flags, 8) & constants.O_NONBLOCK) !== 0;
  } catch {
    return false;
  }
}
