import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Place, place, placeWithDomain } from '../cli/domsnap.ts';
import { TestLibvirtd } from './daemon.ts';
import { defineSmall } from './small-domain.ts';

let folder: string;
let daemon: TestLibvirtd;
/** As in a shell of somebody whose virsh asks this libvirtd. */
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'domsnap-take-in-'));
  daemon = await TestLibvirtd.start(join(folder, 'libvirt'));
  env = { LIBVIRT_DEFAULT_URI: daemon.uri };
}, 60_000);

afterAll(async () => {
  await daemon?.close();
  rmSync(folder, { recursive: true });
});

const domains = async (here: Place): Promise<string[]> => {
  const { domains: all } = (await here.json(['domain', 'list'], env)) as {
    domains: { name: string }[];
  };
  return all.map(({ name }) => name);
};

describe('a domain that virsh knows and domsnap does not', () => {
  test('is looked at without being taken in', { timeout: 60_000 }, async () => {
    await defineSmall(daemon, folder, 'looked');
    await daemon.virsh('snapshot-create-as', 'looked', 'virshs');
    const here = place();
    for (const words of [
      ['plan', 'create', 'looked', 'first'],
      ['plan', 'delete', 'looked', 'virshs'],
      ['list', 'looked'],
      ['show', 'looked', 'virshs'],
      ['export', 'looked', 'virshs'],
    ]) {
      const { exit, stdout, stderr } = await here.run(words, env);
      expect({ words, exit, stderr }).toMatchObject({ exit: 0 });
      expect(stderr).toContain(`looked is not known here yet`);
      expect(stderr).toContain(daemon.uri);
      expect(stdout).toMatch(/looked|virshs/);
    }
    expect(existsSync(here.home), 'nobody has made a home').toBe(false);
  });

  test('is taken in by the first command that works on it, and told so in one line', {
    timeout: 60_000,
  }, async () => {
    await defineSmall(daemon, folder, 'worked');
    const here = place();
    const first = await here.run(['create', 'worked', 'first'], env);
    expect(first).toMatchObject({ exit: 0 });
    const told = first.stderr.split('\n').filter(line => line.includes('is taken in'));
    expect(told).toEqual([
      `domsnap: worked is taken in as a domain of libvirt's (${daemon.uri}), with vda`,
    ]);
    // It is known by its address from now on: no shell needs to name it.
    const second = await here.run(['create', 'worked', 'second']);
    expect(second).toMatchObject({ exit: 0 });
    expect(second.stderr).not.toContain('taken in');
    expect(await daemon.virsh('snapshot-list', 'worked', '--name')).toBe('first\nsecond');
  });

  test.each([
    ['revert', ['revert', 'NAME', 'virshs']],
    ['delete', ['delete', 'NAME', 'virshs']],
  ])('%s works on what virsh has made', { timeout: 60_000 }, async (name, words) => {
    await defineSmall(daemon, folder, name);
    await daemon.virsh('snapshot-create-as', name, 'virshs');
    const here = place();
    const typed = words.map(word => (word === 'NAME' ? name : word));
    expect(await here.run([...typed, '--connect', daemon.uri])).toMatchObject({ exit: 0 });
    expect(await domains(here)).toEqual([name]);
  });

  test('import takes it in for a record, and not for what is none', {
    timeout: 60_000,
  }, async () => {
    await defineSmall(daemon, folder, 'imported');
    await daemon.virsh('snapshot-create-as', 'imported', 'virshs');
    const record = join(folder, 'record.xml');
    writeFileSync(record, await daemon.virsh('snapshot-dumpxml', 'imported', 'virshs'));
    const here = place();
    const bad = join(folder, 'bad.xml');
    writeFileSync(bad, 'no record');
    expect((await here.run(['import', 'imported', bad], env)).exit).toBe(3);
    expect(await domains(here)).toEqual([]);
    expect(await here.run(['import', 'imported', record], env)).toMatchObject({ exit: 0 });
    expect(await domains(here)).toEqual(['imported']);
  });

  test.each([
    ['disk', 'a disk that it has not', ['create', 'NAME', 's', '--disk', 'vdz=external']],
    ['memory', 'memory of a domain that is off', ['create', 'NAME', 's', '--memory', 'live']],
    ['badname', 'a bad name', ['create', 'NAME', 'a/b']],
    ['nobodys', 'a snapshot that there is not', ['delete', 'NAME', 'nobodys']],
    ['undo', 'a revert that there was not', ['undo', 'NAME']],
  ])(
    'is not taken in for a request that is refused: %s, %s',
    { timeout: 60_000 },
    async (name, _, words) => {
      await defineSmall(daemon, folder, name);
      const here = place();
      const typed = words.map(word => (word === 'NAME' ? name : word));
      const { exit, stderr } = await here.run(typed, env);
      expect([2, 3]).toContain(exit);
      expect(stderr).not.toContain('taken in');
      expect(await domains(here)).toEqual([]);
    },
  );

  test('is meant by its name alone, not by what else virsh takes for one', {
    timeout: 60_000,
  }, async () => {
    await defineSmall(daemon, folder, 'named');
    const uuid = await daemon.virsh('domuuid', 'named');
    const { exit, stderr } = await place().run(['create', uuid], env);
    expect(exit).toBe(3);
    expect(stderr).toContain('the one it means is named');
  });
});

describe('a domain file wins', () => {
  test('over a domain of libvirt by its name; --connect does not turn one into the other', {
    timeout: 60_000,
  }, async () => {
    await defineSmall(daemon, folder, 'web1');
    const here = await placeWithDomain();
    const { exit, stderr } = await here.run(['create', 'web1', 'mine'], env);
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    expect(await daemon.virsh('snapshot-list', 'web1', '--name')).toBe('');
    const other = await here.run(['create', 'web1', 'other', '--connect', daemon.uri]);
    expect(other).toMatchObject({ exit: 2 });
    expect(other.stderr).toContain('web1 is a domain of a domain file here');
  });

  test('and one of a libvirt that is known is not another of that name', {
    timeout: 60_000,
  }, async () => {
    await defineSmall(daemon, folder, 'test');
    const here = place();
    expect(await here.run(['create', 'test', 'a'], env)).toMatchObject({ exit: 0 });
    expect(await here.run(['create', 'test', 'b', '--connect', daemon.uri])).toMatchObject({
      exit: 0,
    });
    const other = await here.run(['create', 'test', 'c', '--connect', 'test:///default']);
    expect(other).toMatchObject({ exit: 3 });
    expect(other.stderr).toContain("it is not of libvirt's QEMU driver");
  });
});

describe('a domain that nobody knows', () => {
  const asked = async (words: readonly string[], more: Readonly<Record<string, string>>) => {
    const beganMs = performance.now();
    const { exit, stderr } = await place().run(words, { ...env, ...more });
    return { exit, stderr, tookMs: performance.now() - beganMs };
  };

  test('where libvirt answers, is told to have been looked for there', async () => {
    const { exit, stderr } = await asked(['create', 'nobody'], {});
    expect(exit).toBe(3);
    expect(stderr).toContain('there is no domain "nobody"');
    expect(stderr).toContain('libvirt was asked, too');
    expect(stderr).toContain("'virsh list --all'");
  });

  test.each([
    ['no libvirtd', { LIBVIRT_DEFAULT_URI: 'qemu+unix:///system?socket=/nowhere/sock' }, 'connect'],
    ['no virsh', { PATH: '/nowhere' }, 'apt install libvirt-clients'],
    [
      'a libvirt of another host',
      { LIBVIRT_DEFAULT_URI: 'qemu+unix://other.example/system?socket=/nowhere/sock' },
      'connect',
    ],
  ])('is told at once where there is %s', { timeout: 30_000 }, async (_, more, why) => {
    for (const words of [
      ['create', 'nobody'],
      ['list', 'nobody'],
      ['undo', 'nobody'],
    ]) {
      const { exit, stderr, tookMs } = await asked(words, more);
      expect(exit).toBe(3);
      expect(stderr).toContain('there is no domain "nobody"');
      expect(stderr).toContain('libvirt could not be asked');
      expect(stderr).toContain(why);
      expect(tookMs).toBeLessThan(10_000);
    }
  });

  test('that hangs, within a few seconds', { timeout: 60_000 }, async () => {
    process.kill(daemon.pid ?? 0, 'SIGSTOP');
    try {
      const { stderr, tookMs } = await asked(['list', 'nobody'], {});
      expect(stderr).toContain('no answer within 5000 ms');
      expect(tookMs).toBeLessThan(20_000);
    } finally {
      process.kill(daemon.pid ?? 0, 'SIGCONT');
    }
  });
});
