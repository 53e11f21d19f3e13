import { existsSync, readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import type { Watch, Watchdog } from '../engine/watchdog.ts';
import type { Argv } from '../tools/run.ts';
import { spawnWatch, type WatchProcess } from '../tools/watch-process.ts';

/** How this host's watchdog is set up. */
export interface WatchdogOptions {
  /** The command that recovers an operation. By default `domsnap recover`, of this very domsnap. */
  readonly recover?: (operation: string) => Argv;
  /** Seconds without a sign of life after which an engine hangs, while a guest stands still. */
  readonly hangS?: number;
  /** Told where an operation goes on without a watchdog. */
  readonly missed?: (why: string) => void;
}

/**
 * Longer than an engine that is well is ever silent (another process's write to the journal is waited
 * for 5 s), and as short as the deadlines of freezing and pausing themselves.
 */
const HANG_S = 10;

/**
 * The watchdog of a home folder: one process for each operation, which waits on a pipe and recovers the
 * operation when its engine is gone. What it did is in `watchdog.log` of the home folder.
 */
export function hostWatchdog(home: string, options: WatchdogOptions = {}): Watchdog {
  const { hangS = HANG_S, missed = () => {} } = options;
  const recover = options.recover ?? (operation => recoverCommand(resolve(home), operation));
  const logFile = join(home, 'watchdog.log');
  return {
    arm(operation) {
      const start = () => {
        try {
          return spawnWatch(recover(operation), logFile);
        } catch (error) {
          missed(error instanceof Error ? error.message : String(error));
          return undefined;
        }
      };
      return watchOf(start, hangS, missed);
    },
  };
}

/** Signs of life come four times as often as they must. */
const BEATS = 4;

function watchOf(
  start: () => WatchProcess | undefined,
  hangS: number,
  missed: (why: string) => void,
): Watch {
  let watcher = start();
  let beating: NodeJS.Timeout | undefined;
  const beat = () => watcher?.say(`still ${hangS}`);
  const rest = () => {
    clearInterval(beating);
    beating = undefined;
  };
  return {
    standsStill() {
      if (watcher && !watcher.alive()) {
        missed('the watchdog had died, and is started again');
        watcher = start();
      }
      rest();
      beat();
      beating = setInterval(beat, (hangS * 1000) / BEATS).unref();
    },
    lives() {
      rest();
      watcher?.say('lives');
    },
    letGo() {
      rest();
      watcher?.say('done');
      watcher = undefined;
    },
    handOver() {
      rest();
      watcher?.hangUp();
      watcher = undefined;
    },
  };
}

/** `domsnap recover`, by the program that runs now. Throws where a bundler has taken it away. */
function recoverCommand(home: string, operation: string): Argv {
  const packageFile = findPackageJSON('..', import.meta.url) ?? '/package.json';
  const fromSource = import.meta.filename.endsWith('.ts');
  const main = join(dirname(packageFile), fromSource ? 'src/cli/main.ts' : 'dist/cli/main.js');
  if (!isOurs(packageFile) || !existsSync(main)) {
    throw new Error('no watchdog: domsnap’s own command is not where it was installed');
  }
  return [process.execPath, main, 'rescue', home, operation];
}

/** Bundled into another program, this file lies in that one's package. */
const isOurs = (packageFile: string): boolean =>
  existsSync(packageFile) &&
  (JSON.parse(readFileSync(packageFile, 'utf8')) as { name?: unknown }).name === 'domsnap';
