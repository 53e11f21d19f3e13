import { homedir, hostname, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import type { Who } from '../engine/fact.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  readonly home?: string | undefined;
  readonly json?: boolean | undefined;
  readonly verbose?: boolean | undefined;
  readonly logFile?: string | undefined;
  /** Only of commands that name a domain. */
  readonly connect?: string | undefined;
}

/** What a command knows of how it was called. */
export interface Invocation {
  readonly home: string;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly logFile: string | undefined;
  /** The libvirt to ask for the domain that is named; undefined: the one that virsh would take. */
  readonly connect: string | undefined;
}

/** Settle the options of every command. */
export function invocation(options: GlobalOptions): Invocation {
  return {
    home: homeFolder(options.home, process.env),
    json: options.json ?? false,
    verbose: options.verbose ?? false,
    logFile: options.logFile,
    connect: options.connect,
  };
}

/** `--home`, else DOMSNAP_HOME, else `/var/lib/domsnap` for root and the XDG state folder for others. */
export function homeFolder(option: string | undefined, env: NodeJS.ProcessEnv): string {
  const named = option || env.DOMSNAP_HOME;
  if (named) return resolve(named);
  if (process.getuid?.() === 0) return '/var/lib/domsnap';
  return join(env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'domsnap');
}

/** Who asks, for the audit. */
export function who(reason?: string): Who {
  return {
    uid: process.getuid?.() ?? -1,
    login: login(),
    host: hostname(),
    pid: process.pid,
    ...(reason === undefined ? {} : { reason }),
  };
}

function login(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without an entry in the user database.
    return process.env.USER ?? '';
  }
}
