import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FailureJson } from '../../src/cli/schema.ts';
import { domainFile, makeDisks, type Place, place, placeWithDomain } from './domsnap.ts';
import { refused } from './refused.ts';

test('a domain, snapshot or operation that is not there is named, with where to look', async () => {
  const here = await placeWithDomain();
  await refused(here, ['create', 'web2'], '"web2"', 'domsnap domain list');
  await refused(here, ['list', 'web2'], '"web2"');
  await refused(here, ['domain', 'show', 'web2'], '"web2"');
  await refused(here, ['revert', 'web1', 's9'], 's9', 'domsnap list web1');
  await refused(here, ['delete', 'web1', 's9'], 's9');
  await refused(here, ['show', 'web1', 's9'], 's9');
  await refused(here, ['plan', 'revert', 'web1', 's9'], 's9');
  await refused(here, ['log', '--operation', 'nope'], 'nope', 'domsnap log');
  await refused(here, ['recover', 'nope'], 'nope');
});

test('a name that exists is not taken twice', async () => {
  const here = await placeWithDomain();
  expect((await here.run(['create', 'web1', 's1'])).exit).toBe(0);
  await refused(here, ['create', 'web1', 's1'], 'already has a snapshot s1', 'choose another name');
});

test('an internal snapshot of a raw disk is refused, with what to use', async () => {
  const here = await placeWithDomain();
  await refused(
    here,
    ['create', 'web1', 's1', '--disks', 'internal'],
    'vdb is raw',
    'vdb=external',
  );
});

test('the memory of a domain that is off cannot be asked for', async () => {
  const here = await placeWithDomain();
  await refused(here, ['create', 'web1', 's1', '--memory', 'live'], 'off has no memory');
});

test('a domain with snapshots is not forgotten', async () => {
  const here = await placeWithDomain();
  await here.run(['create', 'web1', 's1']);
  await refused(here, ['domain', 'remove', 'web1'], '1 snapshots', 'domsnap delete web1');
});

test('a plan that would be refused ends with 3, and says why with its steps', async () => {
  const here = await placeWithDomain();
  const before = here.fingerprint();
  const { exit, stdout } = await here.run(['plan', 'create', 'web1', 's1', '--disks', 'internal']);
  expect(exit).toBe(3);
  expect(stdout).toContain('It would be refused');
  expect(stdout).toContain('vdb=external');
  expect(here.fingerprint()).toBe(before);
});

describe('a domain file', () => {
  test.each([
    { file: 'disks: [', exit: 2, says: 'not YAML' },
    { file: domainFile({ name: 'a b' }), exit: 2, says: 'name: is not 1 to 64' },
    { file: domainFile({ monitor: undefined }), exit: 2, says: 'monitor:' },
    { file: domainFile({ memory: 5 }), exit: 2, says: 'memory' },
    { file: domainFile({ arguments: ['-drive', 'x'] }), exit: 2, says: 'arguments[0]: -drive' },
    { file: domainFile({ disks: [] }), exit: 2, says: 'disks' },
  ])(
    'with a mistake is refused with its key and the reason: $says',
    async ({ file, exit, says }) => {
      const here = place();
      writeFileSync(here.path('web1.yaml'), file);
      const ran = await here.run(['domain', 'add', here.path('web1.yaml')]);
      expect(ran.exit, ran.stderr).toBe(exit);
      expect(ran.stderr).toContain(says);
    },
  );

  test('that is not there is named', async () => {
    const { exit, stderr } = await place().run(['domain', 'add', '/nowhere/web1.yaml']);
    expect(exit).toBe(2);
    expect(stderr).toContain('/nowhere/web1.yaml');
  });
});

describe('a disk is not taken in', () => {
  const disks = (path: string, format = 'qcow2') => ({ disks: [{ device: 'vda', path, format }] });
  const add = async (here: Place, overrides: Record<string, unknown>, ...says: string[]) => {
    writeFileSync(here.path('web1.yaml'), domainFile(overrides));
    await here.run(['list']);
    await refused(here, ['domain', 'add', here.path('web1.yaml')], ...says);
  };

  test('that is missing', async () => {
    const here = place();
    await add(here, disks('./nowhere.qcow2'), 'vda', 'nowhere.qcow2 is not there');
  });

  test('that is a folder', async () => {
    const here = place();
    mkdirSync(here.path('folder'));
    await add(here, disks('./folder', 'raw'), 'vda', here.path('folder'));
  });

  test('that has another format than declared', async () => {
    const here = place();
    makeDisks(here);
    await add(here, disks('./vdb.raw', 'qcow2'), 'vda', 'vdb.raw', 'qcow2');
  });

  test('that another process has open', async () => {
    const here = place();
    makeDisks(here);
    const script = 'exec 3<"$0"; echo open; exec sleep 60';
    const holder = spawn('sh', ['-c', script, here.path('vda.qcow2')], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    onTestFinished(() => void holder.kill());
    await once(holder.stdout, 'data');
    await add(here, disks('./vda.qcow2'), 'vda', `process ${holder.pid}`);
  });
});

test('a snapshot whose image is gone is not reverted to', async () => {
  const here = await placeWithDomain();
  await here.run(['create', 'web1', 's1']);
  renameSync(here.path('vda.qcow2'), here.path('elsewhere'));
  await refused(here, ['revert', 'web1', 's1'], 'vda.qcow2', 'put the image back');
});

test('a monitor socket that is somebody else’s is not spoken to', async () => {
  const here = await placeWithDomain();
  const heard: string[] = [];
  const server = createServer(socket => {
    socket.on('data', data => heard.push(String(data)));
    socket.write('220 mail.example.org ESMTP\r\n');
  });
  server.listen(here.path('qmp.sock'));
  onTestFinished(() => void server.close());
  await refused(here, ['create', 'web1', 's1'], 'qmp.sock');
  expect(heard.join('')).toBe('');
});

describe('a home folder', () => {
  test('that is read-only is refused', async () => {
    const here = place();
    const home = here.path('sealed/home');
    mkdirSync(here.path('sealed'));
    chmodSync(here.path('sealed'), 0o500);
    // Root may write anywhere but where nothing can be made at all.
    const useless = process.getuid?.() === 0 ? '/sys/domsnap' : home;
    const { exit, stderr } = await here.run(['gc', '--home', useless]);
    expect(exit, stderr).toBe(3);
    expect(stderr).toContain(useless);
    expect(stderr).toContain('DOMSNAP_HOME');
  });

  test('that is a file is refused as such', async () => {
    const here = place();
    writeFileSync(here.path('file'), '');
    for (const args of ['list --home file', 'gc --home file', 'gc --home file/home']) {
      const [command = '', option = '', home = ''] = args.split(' ');
      const { exit, stderr } = await here.run([command, option, here.path(home)]);
      expect({ args, exit }, stderr).toEqual({ args, exit: 3 });
      expect(stderr).toContain('not a folder');
    }
  });

  test('that is not there is made by no command that only reads', async () => {
    const here = place();
    const reading = ['list', 'list --tree', 'log', 'log verify', 'log export', 'doctor'];
    for (const command of [...reading, 'domain list']) {
      const { exit, stderr } = await here.run(command.split(' '));
      expect({ command, exit, stderr }).toEqual({
        command,
        exit: 0,
        stderr: `domsnap: ${here.home} holds no journal yet\n`,
      });
    }
    for (const command of ['list web1', 'show web1 s1', 'plan create web1', 'log --follow']) {
      expect((await here.run(command.split(' '))).exit, command).toBe(3);
    }
    expect(existsSync(here.home)).toBe(false);
  });

  test('of a newer domsnap is refused, and not changed', async () => {
    const here = await placeWithDomain();
    const database = new DatabaseSync(`${here.home}/domsnap.db`);
    database.exec('PRAGMA user_version = 99');
    database.close();
    const { exit, stdout } = await here.run(['create', 'web1', 's1', '--json']);
    expect(exit).toBe(3);
    const { error } = FailureJson.parse(JSON.parse(stdout));
    expect(error.code).toBe('bad-home');
    expect(error.message).toContain('schema 99');
    // In another home a domain would be started on its bases.
    expect(error.hint).toContain('use the newer domsnap; do not start its domains by hand');
    expect(error.hint).not.toContain('--home');
    const after = new DatabaseSync(`${here.home}/domsnap.db`);
    expect(after.prepare('SELECT count(*) AS n FROM operation').get()).toEqual({ n: 0 });
    expect(after.prepare('PRAGMA user_version').get()).toEqual({ user_version: 99 });
    after.close();
  });
});

test('behind a lost image a delete says what stands on it, and a revert to what is whole goes', async () => {
  const here = await placeWithDomain();
  for (const name of ['s1', 's2', 's3']) {
    expect((await here.run(['create', 'web1', name])).exit).toBe(0);
  }
  const told = (await here.json(['show', 'web1', 's3'])) as {
    snapshot: { disks: { image: { path: string } }[] };
  };
  const lost = told.snapshot.disks[0]?.image.path ?? '';
  renameSync(lost, `${lost}.away`);
  await refused(here, ['delete', 'web1', 's3'], `${lost} is not there`, 'stands on it');
  expect((await here.run(['revert', 'web1', 's1'])).exit).toBe(0);
});
