import { spawn } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Place, placeWithDomain, type Ran } from '../cli/domsnap.ts';
import { CLI } from '../command-line.ts';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** Run a program as another user. */
function asNobody(argv: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, argv, {
    uid: NOBODY,
    gid: NOBODY,
    env: { PATH: process.env.PATH, NO_COLOR: '1', HOME: '/nonexistent' },
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

/** What another user can do with a path: open it, or connect to it. */
const PROBE = `
  const { openSync, readdirSync, constants } = require('node:fs');
  const { connect } = require('node:net');
  const told = {};
  const attempt = (name, act) => { try { act(); told[name] = 'granted'; } catch (e) { told[name] = e.code; } };
  const [path, kind] = process.argv.slice(1);
  if (kind === 'folder') {
    attempt('list', () => readdirSync(path));
    attempt('make', () => openSync(path + '/planted', 'wx'));
  } else if (kind === 'socket') {
    connect(path).on('connect', () => { told.connect = 'granted'; end(); })
      .on('error', e => { told.connect = e.code; end(); });
  } else {
    attempt('read', () => openSync(path, 'r'));
    attempt('write', () => openSync(path, constants.O_WRONLY));
  }
  function end() { console.log(JSON.stringify(told)); process.exit(); }
  if (kind !== 'socket') end();
`;

describe.skipIf(!isRoot)('a second user on the host', () => {
  let here: Place;
  let clean = () => {};
  let reachable = true;
  /** What the first user has made, by path; its images and domain file are its own affair. */
  const made = () => {
    const own = /\/(vda\.qcow2|vdb\.raw|web1\.yaml)$/;
    return readdirSync(here.folder, { recursive: true, encoding: 'utf8' })
      .map(name => join(here.folder, name))
      .filter(path => !own.test(path));
  };

  beforeAll(async () => {
    // A user whose umask takes nothing away.
    const before = process.umask(0);
    try {
      here = await placeWithDomain(atEnd => {
        clean = atEnd;
      });
      chmodSync(here.folder, 0o755);
      const commands = [
        ['domain', 'start', 'web1'],
        ['create', 'web1', 's1'],
        ['create', 'web1', 's2', '--memory', 'none'],
        ['delete', 'web1', 's2'],
        ['revert', 'web1', 's1'],
      ];
      for (const args of commands) {
        const { exit, stderr } = await here.run(args);
        if (exit !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
      }
    } finally {
      process.umask(before);
    }
    const looks = await asNobody(['-e', '0']).catch(() => null);
    reachable = looks?.exit === 0;
  });
  afterAll(() => clean());

  test('finds every file and folder closed, whatever the umask of the first was', () => {
    const open = made().flatMap(path => {
      const stat = lstatSync(path);
      const allowed = stat.isDirectory() ? 0o700 : 0o600;
      // A socket is QEMU's own, which takes the umask; who may connect is proved below.
      if (stat.isSocket()) return [];
      // SQLite makes these empty files; nobody else gets into their folder.
      if (path.includes('/home/locks/')) return [];
      return (stat.mode & 0o777 & ~allowed) === 0
        ? []
        : [`${path} ${(stat.mode & 0o777).toString(8)}`];
    });
    expect(open).toEqual([]);
    const kinds = ['home', '.domsnap-trash', 'domsnap.db', '.memory', '.qcow2', 'manifest.json'];
    for (const kind of kinds) {
      expect(
        made().some(path => path.includes(kind)),
        kind,
      ).toBe(true);
    }
    expect(existsSync(join(here.home, 'run'))).toBe(true);
  });

  test('can read, write, list and make nothing of it, and gets no monitor', async context => {
    if (!reachable) return context.skip('another user cannot run this node');
    for (const path of made()) {
      const stat = lstatSync(path);
      const kind = stat.isDirectory() ? 'folder' : stat.isSocket() ? 'socket' : 'file';
      const { stdout, stderr } = await asNobody(['-e', PROBE, path, kind]);
      const told = Object.entries(JSON.parse(stdout || '{}') as Record<string, string>);
      expect(told.length, `${path}: ${stderr}`).toBeGreaterThan(0);
      for (const [what, came] of told) expect(`${what} ${came}`, path).toMatch(/ EACCES$/);
    }
  });

  test.each([
    { args: ['list'] },
    { args: ['create', 'web1', 'mine'] },
    { args: ['recover'] },
    { args: ['doctor'] },
  ])('is refused by domsnap $args, which says why and shows nothing', async ({ args }) => {
    if (!reachable) return;
    const before = here.fingerprint();
    const { exit, stdout, stderr } = await asNobody([CLI, '--home', here.home, ...args]);
    expect({ exit, stdout }, stderr).toEqual({ exit: 3, stdout: '' });
    expect(stderr).toContain(here.home);
    expect(stderr).not.toContain('s1.');
    expect(here.fingerprint()).toBe(before);
  });
});
