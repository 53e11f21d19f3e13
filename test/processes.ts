import { argvOf, pids } from '../src/tools/process.ts';

/** The processes whose arguments are such; one that is gone, or not for us to see, has none. */
export const pidsWhose = (matches: (argv: readonly string[]) => boolean): number[] =>
  pids().filter(pid => matches(argvOf(pid) ?? []));

/** The watchdogs of a home folder. */
export const watchdogsOf = (home: string): number[] =>
  pidsWhose(argv => argv.includes('domsnap-watchdog') && argv.includes(home));

/** The recoveries that watchdogs of a home folder have begun. */
export const rescuesOf = (home: string): number[] =>
  pidsWhose(([, , word, where]) => word === 'rescue' && where === home);

/** Kill a process, or with a minus sign a group; false where it has ended by itself. */
export function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}
