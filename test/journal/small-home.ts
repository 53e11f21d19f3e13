import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CLI } from '../command-line.ts';

// Run as a process of its own, in a mount namespace where `FOLDER/home` is a small disk of its own and
// the domain `web1` (off) is known: `small-home.ts FOLDER STORY`. Says what came of it, as JSON.
const [, , folder = '', story = ''] = process.argv;
const home = join(folder, 'home');

/** Take all the room that there is, also what an end of a command has just given back. */
function fill(): void {
  const file = openSync(join(home, 'filler'), 'a');
  try {
    for (let bytes = 65_536; bytes >= 1; bytes = Math.floor(bytes / 2)) {
      try {
        for (;;) writeSync(file, Buffer.alloc(bytes, 1));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
  } finally {
    closeSync(file);
  }
}

const ballastBytes = (): number =>
  statSync(join(home, 'ballast'), { throwIfNoEntry: false })?.size ?? 0;

/** Run the real command. */
function run(line: string, env: Record<string, string> = {}): object {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    [CLI, '--home', home, ...line.split(' ')],
    { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1', DOMSNAP_WATCHDOG: 'off', ...env } },
  );
  return { exit: status ?? signal, stdout, stderr, ballastBytes: ballastBytes() };
}

function leftOpen(): void {
  run('create web1 s1', { DOMSNAP_FAILPOINT: 'createOverlays:inside' });
  fill();
}

const stories: Record<string, () => unknown> = {
  recover() {
    leftOpen();
    const doctor = run('doctor');
    fill();
    return { doctor, recover: run('recover') };
  },
  create() {
    leftOpen();
    rmSync(join(home, 'domsnap.db-shm'));
    fill();
    return run('create web1 s2');
  },
  'first lock'() {
    leftOpen();
    rmSync(join(home, 'locks'), { recursive: true });
    fill();
    return run('recover');
  },
  new() {
    fill();
    return ['list', 'create web1 s1', 'domain remove web1'].map(line => {
      const ran = run(line);
      fill();
      return ran;
    });
  },
  'read-only': () =>
    ['list', 'log verify', 'plan create web1', 'create web1 s1', 'doctor'].map(line => run(line)),
};

console.log(JSON.stringify(stories[story]?.()));
