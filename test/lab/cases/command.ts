import { spawn } from 'node:child_process';
import { CLI } from '../../command-line.ts';

/** How a command ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

/** A command that runs, in a process group of its own. */
export interface Running {
  readonly pid: number;
  /** It has ended; tools that it had started may live on. */
  readonly exited: Promise<Exit>;
  /** It has ended, and all that it and its tools had to say is heard. */
  readonly finished: Promise<Exit & { readonly stderr: string }>;
  running(): boolean;
}

/** Whatever has an open home. */
interface InHome {
  readonly session: { readonly home: string };
}

/** The argument vector of a command, as a user would type it. */
export const commandLine = (words: readonly string[]): readonly string[] => [
  process.execPath,
  CLI,
  ...words,
];

/** Run the real command on a world, as a user's shell would. */
export const launch = (
  world: InHome,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Running => launchProgram(world, commandLine(words), env);

/** Run a program that runs the command. */
export function launchProgram(
  { session }: InHome,
  [program = '', ...rest]: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Running {
  const child = spawn(program, rest, {
    env: { ...process.env, DOMSNAP_HOME: session.home, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text;
  });
  const exited = new Promise<Exit>(resolve =>
    child.on('exit', (code, signal) => resolve({ code, signal, atMs: Date.now() })),
  );
  const closed = new Promise<void>(resolve => child.on('close', () => resolve()));
  return {
    pid: child.pid ?? 0,
    exited,
    finished: closed.then(async () => ({ ...(await exited), stderr })),
    running: () => child.exitCode === null && child.signalCode === null,
  };
}
