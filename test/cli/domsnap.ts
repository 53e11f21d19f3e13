import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { stringify } from 'yaml';
import { openDatabase } from '../../src/journal/database.ts';
import { CLI } from '../command-line.ts';

/** How a command ended. */
export interface Ran {
  readonly exit: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** One run of the real command. */
export interface Running {
  readonly pid: number;
  readonly ended: Promise<Ran>;
  /** Resolves when stdout or stderr holds the text. Rejects where it ends before. */
  shows(text: string): Promise<void>;
}

/** A home and images of its own, removed with the test, with the domain's process. */
export interface Place {
  readonly folder: string;
  readonly home: string;
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Running;
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ran>;
  /** Run with --json and parse the last line. */
  json(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<unknown>;
  /** Everything that a refused command must leave as it is: images, sockets, journal, catalog. */
  fingerprint(): string;
  path(name: string): string;
}

/** Make a place for one test, or for as long as `atEnd` says. */
export function place(atEnd: (clean: () => void) => void = onTestFinished): Place {
  // A socket's path has 107 bytes at most.
  const folder = mkdtempSync(join(tmpdir(), 'ds-cli-'));
  const home = join(folder, 'home');
  atEnd(() => {
    killDomains(home);
    rmSync(folder, { recursive: true, force: true });
  });
  const start: Place['start'] = (args, env = {}) =>
    launch(['--home', home, ...args], { NO_COLOR: '1', ...env });
  const run: Place['run'] = (args, env) => start(args, env).ended;
  return {
    folder,
    home,
    start,
    run,
    async json(args, env) {
      const { stdout } = await run(['--json', ...args], env);
      return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '');
    },
    fingerprint: () => fingerprint(folder, home),
    path: name => join(folder, name),
  };
}

/** Two disks, qcow2 and raw, of a domain `web1` that is off, and known to domsnap. */
export async function placeWithDomain(atEnd?: (clean: () => void) => void): Promise<Place> {
  const here = place(atEnd);
  makeDisks(here);
  writeFileSync(here.path('web1.yaml'), domainFile());
  const added = await here.run(['domain', 'add', here.path('web1.yaml')]);
  if (added.exit !== 0) throw new Error(added.stderr);
  return here;
}

/** The images of the usual domain. */
export function makeDisks(here: Place): void {
  qemuImg('create', '-q', '-f', 'qcow2', here.path('vda.qcow2'), '16M');
  qemuImg('create', '-q', '-f', 'raw', here.path('vdb.raw'), '4M');
}

/** A domain file; `undefined` takes a key out. */
export function domainFile(overrides: Record<string, unknown> = {}): string {
  return stringify({
    name: 'web1',
    binary: 'qemu-system-x86_64',
    arguments: ['-accel', 'tcg', '-m', '64', '-nodefaults', '-display', 'none'],
    disks: [
      { device: 'vda', path: './vda.qcow2', format: 'qcow2' },
      { device: 'vdb', path: './vdb.raw', format: 'raw' },
    ],
    monitor: './qmp.sock',
    ...overrides,
  });
}

/** Run qemu-img; it must go well. */
export function qemuImg(...args: string[]): void {
  const { status, stderr } = spawnSync('qemu-img', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

/** A fail point leaves what a crash leaves: the watchdog would recover before the test has looked. */
const rawCrash = (env: Readonly<Record<string, string>>): Record<string, string> =>
  env.DOMSNAP_FAILPOINT ? { DOMSNAP_WATCHDOG: 'off' } : {};

/** Run the real command. */
function launch(args: readonly string[], env: Readonly<Record<string, string>>): Running {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, DOMSNAP_HOME: '', ...rawCrash(env), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const looking = new Set<() => void>();
  const took = (text: string, from: 'stdout' | 'stderr') => {
    if (from === 'stdout') stdout += text;
    else stderr += text;
    for (const look of looking) look();
  };
  child.stdout.setEncoding('utf8').on('data', text => took(text, 'stdout'));
  child.stderr.setEncoding('utf8').on('data', text => took(text, 'stderr'));
  const ended = new Promise<Ran>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ exit: code ?? signal ?? '?', stdout, stderr }));
  });
  return {
    pid: child.pid ?? -1,
    ended,
    shows: text =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!`${stdout}${stderr}`.includes(text)) return;
          looking.delete(look);
          resolve();
        };
        looking.add(look);
        look();
        ended.then(() => reject(new Error(`ended without ${text}: ${stdout}${stderr}`)));
      }),
  };
}

function fingerprint(folder: string, home: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => !entry.parentPath.startsWith(home) && entry.name !== 'home')
    .map(entry => {
      const { size, mtimeMs, mode } = statSync(join(entry.parentPath, entry.name));
      return `${join(entry.parentPath, entry.name)} ${size} ${mtimeMs} ${mode}`;
    });
  const database = openDatabase(home);
  try {
    const tables = ['operation', 'record', 'domain', 'snapshot'].map(table =>
      JSON.stringify(database.sqlite.prepare(`SELECT * FROM ${table}`).all()),
    );
    return [...files.sort(), ...tables].join('\n');
  } finally {
    database.close();
  }
}

/** By the pid files that domsnap keeps of the domains that it has started. */
function killDomains(home: string): void {
  const run = join(home, 'run');
  let names: string[] = [];
  try {
    names = readdirSync(run).filter(name => name.endsWith('.pid'));
  } catch {
    return;
  }
  for (const name of names) {
    const pid = Number.parseInt(readFileSync(join(run, name), 'utf8'), 10);
    try {
      const isQemu = readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('qemu-system');
      if (isQemu) process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}
