import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DoctorJson, LogJson } from '../../src/cli/schema.ts';
import { labFiles } from '../../src/lab/lab-files.ts';
import { typed } from '../../src/plan/typed.ts';
import { domainFile, makeDisks, type Place, place, placeWithDomain } from './domsnap.ts';

const words = (text: string) => text.trimEnd().split('\n');
const complete = async (here: Place, ...typedSoFar: string[]) =>
  words((await here.run(['__complete', '--', ...typedSoFar])).stdout);

test('a hint quotes a name as a shell needs it, and only then', () => {
  expect(typed('delete', 'web1', 'a-b_1.2')).toBe("'domsnap delete web1 a-b_1.2'");
  expect(typed('delete', 'web1', 'a b')).toBe(`'domsnap delete web1 "a b"'`);
  expect(typed('delete', 'web1', "it's")).toBe(`'domsnap delete web1 "it's"'`);
  expect(typed('delete', 'web1', '$HOME')).toBe("'domsnap delete web1 '$HOME''");
});

test('what a refusal says can be typed, for a name with a blank too', async () => {
  const here = await placeWithDomain();
  expect((await here.run(['create', 'web1', 'a b'])).exit).toBe(0);
  const { stderr } = await here.run(['create', 'web1', 'a b']);
  expect(stderr).toContain(`'domsnap delete web1 "a b"'`);
});

test('a snapshot of no disk at all is bad usage', async () => {
  const here = await placeWithDomain();
  const none = ['--disk', 'vda=none', '--disk', 'vdb=none'];
  const { exit, stderr } = await here.run(['create', 'web1', 's1', ...none]);
  expect(exit).toBe(2);
  expect(stderr).toContain('holds nothing');
});

describe('a domain that cannot be started says what to do', () => {
  const added = async (change: Record<string, unknown>): Promise<Place> => {
    const here = place();
    makeDisks(here);
    writeFileSync(here.path('web1.yaml'), domainFile(change));
    expect((await here.run(['domain', 'add', here.path('web1.yaml')])).exit).toBe(0);
    return here;
  };

  test('where its emulator is not there', async () => {
    const here = await added({ binary: 'qemu-system-none' });
    const { exit, stderr } = await here.run(['domain', 'start', 'web1']);
    expect(exit).toBe(3);
    expect(stderr).toContain('the emulator qemu-system-none is not there');
    expect(stderr).toContain('→ install it');
  });

  test('where the folder of its monitor is not there; it starts once it is', async () => {
    const here = await added({ monitor: './run/qmp.sock' });
    const { exit, stderr } = await here.run(['domain', 'start', 'web1']);
    expect(exit).toBe(3);
    expect(stderr).toContain(`the folder ${here.path('run')} is not there`);
    expect(stderr).toContain('→ make it');
    mkdirSync(here.path('run'));
    expect((await here.run(['domain', 'start', 'web1'])).exit).toBe(0);
  });
});

test('a domain that is off is shown without a memory of no bytes', async () => {
  const here = await placeWithDomain();
  expect((await here.run(['domain', 'show', 'web1'])).stdout).not.toContain('0 B');
});

test('a snapshot whose create was left open is listed with what ends it, and completed for that', async () => {
  const here = await placeWithDomain();
  await here.run(['create', 'web1', 's1'], { DOMSNAP_FAILPOINT: 'createOverlays:after' });
  expect((await here.run(['list', 'web1'])).stdout).toContain('(being made → domsnap recover)');
  const [open] = LogJson.parse(await here.json(['log'])).operations;
  const id = open?.id ?? '';
  expect(await complete(here, 'recover', '')).toEqual([id]);
  expect(await complete(here, 'log', '--operation', id.slice(0, 3))).toEqual([id]);
  const { stdout } = await here.run(['doctor']);
  expect(stdout).toContain('recovers it');
  expect(stdout).not.toMatch(/recovers it.*\(create/);
  expect((await here.run(['recover'])).exit).toBe(0);
  expect(await complete(here, 'recover', '')).toEqual(['']);
  expect(await complete(here, 'log', '--operation', '')).toContain(id);
});

test('a second lab is refused before anything is said of its making', async () => {
  const here = place();
  const { folder, domainFile: file } = labFiles(here.path('home/lab'));
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, '');
  const { exit, stderr } = await here.run(['lab', 'up']);
  expect(exit).toBe(3);
  expect(stderr).toContain("'domsnap lab down' ends it");
  expect(stderr).not.toContain('making the lab guest');
});

test('a command below another has not the other’s options', async () => {
  const here = place();
  for (const below of ['verify', 'export']) {
    const { stdout } = await here.run(['log', below, '--help']);
    expect(stdout).toContain('--json');
    expect(stdout).not.toContain('--follow');
  }
});

test('a file of another home is told once, however many domains share its folder', async () => {
  const here = await placeWithDomain();
  writeFileSync(here.path('vdc.raw'), Buffer.alloc(1 << 20));
  const second = {
    name: 'web2',
    disks: [{ device: 'vda', path: './vdc.raw', format: 'raw' }],
    monitor: './qmp2.sock',
  };
  writeFileSync(here.path('web2.yaml'), domainFile(second));
  expect((await here.run(['domain', 'add', here.path('web2.yaml')])).exit).toBe(0);
  const stray = here.path('web9.vda.s1.0mwsn948ted917c64.qcow2');
  writeFileSync(stray, 'x');
  const found = DoctorJson.parse(await here.json(['doctor']));
  expect(found.exit).toBe(0);
  expect(found.findings.map(({ code, domain }) => [code, domain])).toEqual([
    ['unknown-file', null],
  ]);
});
