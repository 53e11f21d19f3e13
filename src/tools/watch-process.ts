import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, renameSync, statSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { processStartTicks } from './process.ts';
import type { Argv } from './run.ts';
import { errnoOf, ToolError } from './tool-error.ts';

/**
 * What the watching process runs: the shell, since it starts in 2 ms and takes 1 MB, where a waiting
 * Node takes 100 ms of a processor. Its arguments: our pid and start, how often recoveries have died
 * before, then the command that recovers. It reads lines until the end of its input, which comes with
 * our death, whichever way we die:
 *
 * - `still SECONDS`: we are at work on something that must not hang. Heard nothing for so long, and for
 *   a second more (a host that was asleep gives us the time to say that we live), we are killed.
 * - `lives`: take all the time.
 * - `done`: nothing is left to watch.
 *
 * The start is compared before the kill: pids are used again. A background job of the shell reads no
 * input, and takes its `sleep` along when it is ended.
 */
export const WATCH_SCRIPT = `
engine=$1 started=$2 deaths=$3 timer=
shift 3
note() { echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) watchdog of $engine: $*"; }
same() {
  stat=$(cat "/proc/$engine/stat" 2>/dev/null) || return 1
  set -- \${stat##*) }
  [ "\${20}" = "$started" ]
}
lease() {
  for seconds in "$1" 1; do
    trap exit TERM
    sleep "$seconds" &
    trap 'kill $! 2>/dev/null; exit' TERM
    wait $!
  done
  same || exit
  note "it hangs, and is killed"
  kill -KILL "$engine"
}
ease() { [ -z "$timer" ] || kill "$timer" 2>/dev/null; timer=; }
while read -r word seconds; do
  case $word in
    still) ease; lease "$seconds" & timer=$! ;;
    lives) ease ;;
    done) ease; exit 0 ;;
  esac
done
ease
note "it is gone: $*"
[ "$deaths" -eq 0 ] || sleep "$deaths"
exec "$@" </dev/null
`;

/** A log that is larger is put aside when the next process is started; there are two at most. */
const LOG_MAX_BYTES = 64 * 1024;
/** Recoveries that die too are taken up again, but not for ever. */
const DEATHS_MAX = 3;

/** A process that watches over this one. */
export interface WatchProcess {
  readonly pid: number;
  /** Not known to have ended. */
  alive(): boolean;
  /** Give it a line; nothing happens where it is gone. */
  say(line: 'lives' | 'done' | `still ${number}`): void;
  /** End its input: without `done` before, it takes us for dead, though it does not kill us. */
  hangUp(): void;
}

/**
 * Start a process in a session of its own, which a signal to our process group or the end of our
 * terminal does not reach, that runs `recover` when we are gone. When this returns, it stands: its
 * program is running and holds its end of the pipe. Undefined where this process is itself the last of
 * a row of recoveries that died. Takes 2 to 5 ms of ours.
 * Throws ToolError: `refused` (the log cannot be written, the shell cannot be started).
 */
export function spawnWatch(recover: Argv, logFile: string): WatchProcess | undefined {
  const deaths = Number(process.env[DEATHS] ?? 0);
  if (deaths >= DEATHS_MAX) return undefined;
  // Fail points are for one life: what recovers must not die of them too.
  const { DOMSNAP_FAILPOINT: _, ...env } = process.env;
  const started = String(processStartTicks(process.pid) ?? '');
  const output = openLog(logFile);
  let child: ChildProcess;
  try {
    // Loaded when first needed: it takes 2 ms, and most of what a user asks runs no program.
    const { spawn } = process.getBuiltinModule('node:child_process');
    const arms = [String(process.pid), started, String(deaths), ...recover];
    child = spawn('/bin/sh', ['-c', WATCH_SCRIPT, 'domsnap-watchdog', ...arms], {
      detached: true,
      stdio: ['pipe', output, output],
      cwd: '/',
      env: { ...compileCache(), ...env, [DEATHS]: String(deaths + 1) },
    });
  } catch (cause) {
    throw refused(errnoOf(cause) ?? 'unknown', cause);
  } finally {
    closeSync(output);
  }
  let ended = child.pid === undefined;
  child.once('error', () => {
    ended = true;
  });
  child.once('exit', () => {
    ended = true;
  });
  if (child.pid === undefined) throw refused('it cannot be started');
  const pipe = child.stdin as Socket;
  // It has ended, which `exit` tells; what it was to hear is lost, and hurts nobody.
  pipe.on('error', () => {});
  pipe.unref();
  child.unref();
  return {
    pid: child.pid,
    alive: () => !ended,
    say: line => void (ended || pipe.write(`${line}\n`)),
    hangUp: () => pipe.destroy(),
  };
}

/** How many recoveries have died in a row, for those who start the next. */
const DEATHS = 'DOMSNAP_WATCHDOG_DEATHS';

/** What we have compiled need not be compiled again: with the types stripped at run time, 60 ms of 400. */
function compileCache(): { readonly NODE_COMPILE_CACHE?: string } {
  const folder = getCompileCacheDir();
  // It names the folder of this version of Node, below the one that is to be set.
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) };
}

function openLog(logFile: string): number {
  try {
    if ((statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > LOG_MAX_BYTES) {
      renameSync(logFile, `${logFile}.old`);
    }
    return openSync(logFile, 'a', 0o600);
  } catch (cause) {
    throw refused(`its log ${logFile} cannot be written`, cause);
  }
}

function refused(why: string, cause?: unknown): ToolError {
  return new ToolError('exec', 'refused', `no watchdog: ${why}`, {}, cause);
}
