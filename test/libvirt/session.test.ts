import { spawn } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { processStartTicks, terminate } from '../../src/tools/process.ts';
import type { Ran } from '../cli/domsnap.ts';
import { CLI } from '../command-line.ts';
import { defineSmall } from './small-domain.ts';

// An ordinary user's own libvirt (qemu:///session): virsh starts its daemon by itself, and all that it
// keeps is below the user's HOME and XDG_RUNTIME_DIR, so that no namespace is needed to keep it apart.
// Where the tests run as root, `nobody` is that user; else whoever runs them, with a HOME of the test's.

const NOBODY = 65_534;
const NAME = 'own';
const timeout = 120_000;
const isRoot = process.getuid?.() === 0;
const user = isRoot ? { uid: NOBODY, gid: NOBODY } : {};

let folder: string;
const env = () => ({
  PATH: `${process.env.PATH}:/usr/sbin`,
  NO_COLOR: '1',
  HOME: join(folder, 'home'),
  XDG_RUNTIME_DIR: join(folder, 'run'),
  LC_ALL: 'C',
});

/** Run a program as that user. */
function asUser([program = '', ...args]: readonly string[]): Promise<Ran> {
  const child = spawn(program, args, {
    ...user,
    env: env(),
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', data => {
    stdout += String(data);
  });
  child.stderr.on('data', data => {
    stderr += String(data);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ exit: code ?? signal ?? '?', stdout, stderr }));
  });
}

const good = async (argv: readonly string[]): Promise<string> => {
  const { exit, stdout, stderr } = await asUser(argv);
  expect(exit, `${argv.join(' ')}: ${stderr}`).toBe(0);
  return stdout.trim();
};
const virsh = (...words: string[]) => good(['virsh', '-q', '-c', 'qemu:///session', ...words]);
/** No `--connect`: for a user who is not root this is virsh's own choice. */
const domsnap = (...words: string[]) => good([process.execPath, CLI, ...words]);

/** Whether that user may run what the tests have built: it may lie in a folder that is closed to others. */
let closed = false;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ds-own-'));
  for (const name of ['home', 'run', 'images']) mkdirSync(join(folder, name), { mode: 0o700 });
  if (isRoot) {
    for (const name of ['', 'home', 'run', 'images']) chownSync(join(folder, name), NOBODY, NOBODY);
  }
  closed = (await asUser([process.execPath, CLI, '--version'])).exit !== 0;
}, timeout);

afterAll(async () => {
  if (!closed) await virsh('destroy', NAME).catch(() => {});
  const pidFile = join(folder, 'run', 'libvirt', 'libvirtd.pid');
  const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0;
  const ticks = pid > 0 ? processStartTicks(pid) : null;
  if (ticks !== null) await terminate(pid, ticks, { graceMs: 5_000, log: () => {} });
  rmSync(folder, { recursive: true, force: true });
});

describe("an ordinary user's own libvirt", () => {
  test('running: disks alone, a checkpoint, back to it, and the first one deleted', {
    timeout,
  }, async ({ skip }) => {
    skip(closed, `${CLI} is in a folder that ${NOBODY} may not enter`);
    const images = join(folder, 'images');
    const daemon = { virsh };
    const disk = await defineSmall(daemon, images, NAME);
    if (isRoot) chownSync(disk, NOBODY, NOBODY);
    await virsh('start', NAME);
    await domsnap('create', NAME, 'one', '--memory', 'none');
    await domsnap('create', NAME, 'two');
    expect(await domsnap('list', NAME)).toMatch(/one[\s\S]*two/);
    expect((await virsh('snapshot-list', NAME, '--name')).split('\n')).toEqual(['one', 'two']);
    await domsnap('revert', NAME, 'two');
    expect(await virsh('domstate', NAME)).toBe('running');
    await domsnap('delete', NAME, 'one');
    expect(await virsh('snapshot-list', NAME, '--name')).toBe('two');
  });

  test('the journal is in a folder of the user, and belongs to nobody else', ({ skip }) => {
    skip(closed, 'nothing was made');
    const home = join(folder, 'home', '.local', 'state', 'domsnap');
    const mine = statSync(join(folder, 'home')).uid;
    for (const path of [home, join(home, 'domsnap.db')]) expect(statSync(path).uid).toBe(mine);
  });

  test('off: the same, by qemu-img', { timeout }, async ({ skip }) => {
    skip(closed, 'nothing was made');
    await virsh('destroy', NAME);
    await domsnap('create', NAME, 'three');
    await domsnap('revert', NAME, 'three');
    await domsnap('delete', NAME, 'three');
    await domsnap('revert', NAME, 'two', '--off');
    await virsh('start', NAME);
  });
});
