import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DoctorJson, GcJson, ListDomainJson, RecoverJson } from '../../src/cli/schema.ts';
import { sqliteLocks } from '../../src/journal/lock.ts';
import { type Place, placeWithDomain } from './domsnap.ts';

const run = async (here: Place, ...args: string[]) => {
  const { exit, stdout, stderr } = await here.run(args);
  if (exit !== 0) throw new Error(stderr);
  return stdout;
};
const doctor = async (here: Place, ...args: string[]) =>
  DoctorJson.parse(await here.json(['doctor', ...args]));
const gc = async (here: Place, ...args: string[]) => GcJson.parse(await here.json(['gc', ...args]));

/** A snapshot was made and deleted again: its overlays are in the trash. */
async function withTrash(): Promise<Place> {
  const here = await placeWithDomain();
  await run(here, 'create', 'web1', 's1');
  await run(here, 'delete', 'web1', 's1');
  return here;
}

const trashOf = (here: Place): string[] =>
  existsSync(here.path('.domsnap-trash'))
    ? readdirSync(here.path('.domsnap-trash'), { recursive: true }).map(String).sort()
    : [];

describe('gc', () => {
  test('leaves what is young, and says so', async () => {
    const here = await withTrash();
    const before = trashOf(here);
    expect(before.length).toBeGreaterThan(2);
    const { ok, exit, operation, purged, kept } = await gc(here);
    expect({ ok, exit, operation, purged: purged.files }).toEqual({
      ok: true,
      exit: 0,
      operation: null,
      purged: 0,
    });
    expect(kept.files).toBeGreaterThan(0);
    expect(trashOf(here)).toEqual(before);
  });

  test('removes what is old, and with --dry-run only shows it', async () => {
    const here = await withTrash();
    const before = here.fingerprint();
    const dry = await gc(here, '--older-than', '0s', '--dry-run');
    expect(dry.files.every(({ verdict, domain }) => verdict === 'purge' && domain === 'web1')).toBe(
      true,
    );
    expect(here.fingerprint()).toBe(before);
    const done = await gc(here, '--older-than', '0s');
    expect(done.purged).toEqual(dry.purged);
    expect(done.outcome).toBe('committed');
    expect(trashOf(here)).toEqual([]);
    expect((await run(here, 'gc')).trim()).toContain('nothing to remove');
    const log = await run(here, 'log', '--operation', done.operation ?? '');
    expect(log).toContain('purgeTrash');
  });

  test('removes the oldest until --max-size fits', async () => {
    const here = await withTrash();
    const { files, kept } = await gc(here, '--dry-run');
    const [oldest, ...rest] = files;
    const done = await gc(here, '--max-size', String(kept.bytes - 1));
    expect(done.files.filter(({ verdict }) => verdict === 'purge').map(({ path }) => path)).toEqual(
      [oldest?.path],
    );
    for (const { path } of rest) expect(existsSync(path)).toBe(true);
  });

  test('leaves alone what is not domsnap’s, and follows no link', async () => {
    const here = await withTrash();
    const precious = here.path('precious');
    mkdirSync(precious);
    writeFileSync(join(precious, 'file'), 'x');
    symlinkSync(precious, here.path('.domsnap-trash/0mwsn948ted917c64'));
    writeFileSync(here.path('.domsnap-trash/mine'), 'x');
    const { skipped, exit } = await gc(here, '--older-than', '0s');
    expect(exit).toBe(0);
    expect(skipped.map(({ path }) => path)).toEqual([
      here.path('.domsnap-trash/0mwsn948ted917c64'),
      here.path('.domsnap-trash/mine'),
    ]);
    expect(trashOf(here)).toEqual(['0mwsn948ted917c64', '0mwsn948ted917c64/file', 'mine']);
    expect(existsSync(join(precious, 'file'))).toBe(true);
  });

  test('keeps what a snapshot misses where it was', async () => {
    const here = await withTrash();
    await run(here, 'create', 'web1', 's2');
    const { snapshots } = ListDomainJson.parse(await here.json(['list', 'web1']));
    const image = snapshots[0]?.disks.find(({ device }) => device === 'vdb')?.image.path ?? '';
    // Somebody has put a snapshot's image into the trash by hand, and into its manifest.
    const [folder = ''] = readdirSync(here.path('.domsnap-trash'));
    const own = here.path(`.domsnap-trash/${folder}`);
    const trashed = join(own, 'image');
    renameSync(image, trashed);
    const files = [{ name: 'image', from: image, bytes: 1, at: 0 }];
    writeFileSync(join(own, 'manifest.json'), JSON.stringify({ operation: folder, files }));
    const { files: verdicts } = await gc(here, '--older-than', '0s');
    expect(verdicts.filter(({ from }) => from === image)).toMatchObject([
      { verdict: 'keep', why: expect.stringContaining('missing') },
    ]);
    const found = await doctor(here, 'web1');
    expect(found.exit).toBe(5);
    const missing = found.findings.find(({ code }) => code === 'missing-image');
    expect(missing?.hint).toContain(`mv -n '${trashed}' '${image}'`);
  });

  test('keeps the trash of an operation that has not come to its end', async () => {
    const here = await placeWithDomain();
    await run(here, 'create', 'web1', 's1');
    const killed = await here.run(['delete', 'web1', 's1'], { DOMSNAP_FAILPOINT: 'forget:before' });
    expect(killed.exit).toBe('SIGKILL');
    const { files, purged } = await gc(here, '--older-than', '0s');
    expect(purged.files).toBe(0);
    expect(files[0]?.why).toContain('has not come to its end');
  });

  test('knows the trash of a domain that was forgotten', async () => {
    const here = await withTrash();
    await run(here, 'domain', 'remove', 'web1');
    expect((await gc(here, '--older-than', '0s')).purged.files).toBeGreaterThan(0);
    expect(trashOf(here)).toEqual([]);
  });

  test.each(['purgeTrash:before', 'purgeTrash:inside', 'purgeTrash:after'])(
    'killed at %s, goes on when it is recovered or typed again',
    async place => {
      const here = await withTrash();
      const args = ['gc', '--older-than', '0s'];
      expect((await here.run(args, { DOMSNAP_FAILPOINT: place })).exit).toBe('SIGKILL');
      expect((await doctor(here)).findings.map(({ code }) => code)).toEqual(['open-operation']);
      if (place === 'purgeTrash:inside') await run(here, ...args);
      else RecoverJson.parse(await here.json(['recover']));
      expect(trashOf(here)).toEqual([]);
      expect((await doctor(here)).exit).toBe(0);
    },
  );

  test.each([
    ['--older-than', 'soon'],
    ['--older-than', '-1d'],
    ['--max-size', '1X'],
  ])('%s %s is bad usage', async (option, value) => {
    const here = await placeWithDomain();
    expect((await here.run(['gc', option, value])).exit).toBe(2);
  });
});

describe('doctor', () => {
  test('ends with 0 on a healthy host, and touches nothing', async () => {
    const here = await withTrash();
    const before = here.fingerprint();
    const found = await doctor(here);
    expect(found).toMatchObject({ ok: true, exit: 0, domains: ['web1'], findings: [] });
    expect(here.fingerprint()).toBe(before);
    expect(await run(here, 'doctor', 'web1')).toContain('web1: healthy');
  });

  test('brings an operation to its end that was left open, with --fix only', async () => {
    const here = await placeWithDomain();
    const killed = await here.run(['create', 'web1', 's1'], {
      DOMSNAP_FAILPOINT: 'createOverlays:after',
    });
    expect(killed.exit).toBe('SIGKILL');
    const found = await doctor(here, 'web1');
    expect(found.exit).toBe(5);
    expect(found.findings).toMatchObject([
      { code: 'open-operation', repair: { proven: true }, hint: expect.stringContaining('--fix') },
    ]);
    const fixed = await doctor(here, 'web1', '--fix');
    expect(fixed).toMatchObject({ ok: true, exit: 0, findings: [] });
    expect(fixed.repaired).toMatchObject([{ code: 'open-operation', outcome: 'committed' }]);
    expect(ListDomainJson.parse(await here.json(['list', 'web1'])).snapshots).toHaveLength(1);
  });

  test('explains in words what is wrong, what it means and what to type', async () => {
    const here = await placeWithDomain();
    await run(here, 'create', 'web1', 's1');
    renameSync(here.path('vdb.raw'), here.path('elsewhere.raw'));
    const { exit, stdout } = await here.run(['doctor']);
    expect(exit).toBe(5);
    for (const text of ['missing-image', here.path('vdb.raw'), 's1', '→', 'needs attention']) {
      expect(stdout).toContain(text);
    }
  });

  test('says of a domain that somebody works on that it looked at nothing', async () => {
    const here = await placeWithDomain();
    const lock = sqliteLocks(here.home).tryAcquire('web1');
    const found = await doctor(here);
    lock?.release();
    expect(found.exit).toBe(0);
    expect(found.findings).toMatchObject([{ code: 'at-work', severity: 'advice' }]);
  });

  test('leaves a file alone whose operation this journal does not know', async () => {
    const here = await placeWithDomain();
    const path = here.path('web9.vda.s1.0mwsn948ted917c64.qcow2');
    writeFileSync(path, 'x');
    const found = await doctor(here, '--fix');
    expect(found.exit).toBe(0);
    expect(found.findings).toMatchObject([{ code: 'unknown-file', repair: null }]);
    expect(existsSync(path)).toBe(true);
  });

  test('takes nobody’s word for what can be proved, nor for what there is not', async () => {
    const here = await placeWithDomain();
    for (const code of ['orphan-files', 'nonsense']) {
      const { exit, stderr } = await here.run(['doctor', '--sure', code]);
      expect(exit).toBe(2);
      expect(stderr).toContain('paused-guest');
    }
  });

  test('refuses a domain that is not there', async () => {
    const here = await placeWithDomain();
    expect((await here.run(['doctor', 'web9'])).exit).toBe(3);
  });
});
