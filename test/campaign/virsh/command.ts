import { type ChildProcess, spawn } from 'node:child_process';
import type { Libvirtd } from './libvirtd.ts';

/** What a user types, a virsh after the other. */
export type Words = readonly (readonly string[])[];

/** How it ended. */
export interface Ended {
  /** Every virsh has exited with 0. */
  readonly ok: boolean;
  readonly stderr: string;
  readonly tookMs: number;
}

/** Commands at work. */
export interface RunningCommand {
  readonly ended: Promise<Ended>;
  running(): boolean;
  /** SIGKILL to the virsh that runs now; those after it are not started. False: none runs. */
  kill(): boolean;
}

const LONGEST_MS = 60_000;

/** Run them one after the other until one fails, each for a minute at most. */
export function startCommand(libvirtd: Libvirtd, words: Words): RunningCommand {
  const beganMs = performance.now();
  let now: ChildProcess | undefined;
  let over = false;
  let stderr = '';
  const one = (args: readonly string[]) =>
    new Promise<boolean>(resolve => {
      const [program, ...rest] = libvirtd.argv(args);
      const child = spawn(program, rest, {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, LC_ALL: 'C' },
        timeout: LONGEST_MS,
        killSignal: 'SIGKILL',
      });
      now = child;
      child.stderr.on('data', data => {
        stderr += data;
      });
      child.once('error', () => resolve(false));
      child.once('exit', code => resolve(code === 0));
    });
  const all = async (): Promise<Ended> => {
    let ok = true;
    for (const args of words) {
      ok &&= !over && (await one(args));
    }
    over = true;
    return { ok, stderr: stderr.trim(), tookMs: performance.now() - beganMs };
  };
  return {
    ended: all(),
    running: () => !over,
    kill() {
      if (over) return false;
      over = true;
      return now?.kill('SIGKILL') ?? false;
    },
  };
}
