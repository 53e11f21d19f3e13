import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FailureJson } from '../../src/cli/schema.ts';
import { CLI } from '../command-line.ts';
import { type Place, place, placeWithDomain } from './domsnap.ts';

describe('a command line that makes no sense ends with 2, names what is wrong, and touches nothing', () => {
  let here: Place;
  let clean = () => {};
  beforeAll(async () => {
    here = await placeWithDomain(atEnd => {
      clean = atEnd;
    });
  });
  afterAll(() => clean());
  test.each([
    { args: ['frobnicate'], says: 'frobnicate' },
    { args: ['creat', 'web1'], says: 'Did you mean create' },
    { args: ['create'], says: "missing required argument 'domain'" },
    { args: ['create', 'web1', 's1', 'more'], says: 'too many arguments' },
    { args: ['create', 'web1', '--frob'], says: '--frob' },
    { args: ['create', 'web1', '--memory', 'hot'], says: 'live, paused, none' },
    { args: ['create', 'web1', '--disk', 'vda'], says: 'DISK=internal' },
    { args: ['create', 'web1', '--disk', 'vda=none', '--disk', 'vda=none'], says: 'named twice' },
    { args: ['create', 'web1', '--disk', 'vdz=none'], says: 'vdz' },
    { args: ['create', '--wait', 'web1'], says: '--wait=60' },
    { args: ['revert', 'web1', 's1', '--run', '--off'], says: '--off' },
    { args: ['delete', 'web1', 's1', '--children', '--children-only'], says: '--children' },
    { args: ['cases', 'create.nowhere'], says: 'create.nowhere' },
    { args: ['graph', 'create.nowhere'], says: 'create.nowhere' },
    { args: ['create', 'web1', ''], says: 'is empty' },
    { args: ['create', 'web1', 'a/b'], says: 'path separator' },
    { args: ['create', 'web1', '../x'], says: 'path separator' },
    { args: ['create', 'web1', 'a\u001b[31mb'], says: 'control character' },
    { args: ['create', 'web1', 'two\nlines'], says: 'control character' },
    { args: ['create', 'web1', '-x'], says: 'cannot begin with a dash' },
    { args: ['create', 'web1', '--', '-x'], says: 'begins with a dash' },
    { args: ['create', 'web1', 'n'.repeat(300)], says: '300 bytes' },
    { args: ['revert', 'web1', 'a/b'], says: 'path separator' },
    { args: ['plan', 'delete', 'web1', ' '], says: 'space' },
  ])('domsnap $args', async ({ args, says }) => {
    const before = here.fingerprint();
    const { exit, stdout, stderr } = await here.run(args);
    expect({ exit, stdout }, stderr).toEqual({ exit: 2, stdout: '' });
    expect(stderr).toContain(says);
    expect(here.fingerprint()).toBe(before);
  });
});

test('a name that is not UTF-8 is refused, since Node would turn it into another one', async () => {
  const here = await placeWithDomain();
  const script = '"$0" "$1" --home "$2" create web1 "$(printf \'bad\\377name\')"';
  const words = ['-c', script, process.execPath, CLI, here.home];
  const { status, stderr } = spawnSync('sh', words, { encoding: 'utf8' });
  expect(status, stderr).toBe(2);
  expect(stderr).toContain('is not valid UTF-8');
});

test('with --json a wrong command line is answered by one document on stdout', async () => {
  const { exit, stdout, stderr } = await place().run(['create', '--json']);
  expect({ exit, stderr }).toEqual({ exit: 2, stderr: '' });
  const { error } = FailureJson.parse(JSON.parse(stdout));
  expect(error.code).toBe('missingArgument');
  expect(error.hint).toContain('--help');
});

test('called without a command, it shows its help on stderr and ends with 2', async () => {
  const { exit, stdout, stderr } = await place().run([]);
  expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
  expect(stderr).toContain('Usage: domsnap');
});

test('a log file that cannot be written is refused before anything begins', async () => {
  const here = await placeWithDomain();
  const before = here.fingerprint();
  const file = here.path('no/such/folder/log');
  const { exit, stderr } = await here.run(['create', 'web1', 's1', '--log-file', file]);
  expect(exit, stderr).toBe(2);
  expect(stderr).toContain(file);
  expect(here.fingerprint()).toBe(before);
});
