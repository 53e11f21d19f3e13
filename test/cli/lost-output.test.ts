import { spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { patientWriter } from '../../src/cli/patient-writer.ts';
import { CLI } from '../command-line.ts';
import { type Place, place, placeWithDomain } from './domsnap.ts';

/** Run the real command with a descriptor of ours for its stdout or stderr. */
async function runTo(
  here: Place,
  line: string,
  { stdout, stderr }: { stdout?: number; stderr?: number },
  env: Record<string, string> = {},
) {
  const child = spawn(process.execPath, [CLI, '--home', here.home, ...line.split(' ')], {
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', stdout ?? 'pipe', stderr ?? 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stdout?.on('data', text => {
    said += text;
  });
  child.stderr?.on('data', text => {
    said += text;
  });
  const [code, signal] = await new Promise<[number | null, string | null]>(resolve =>
    child.on('close', (...how) => resolve(how)),
  );
  return { exit: code ?? signal, said };
}

function opened(path: string, flags: number): number {
  const fd = openSync(path, flags);
  onTestFinished(() => closeSync(fd));
  return fd;
}

/** A pipe with a reader; how much it takes without being read is up to the kernel. */
function pipe(here: Place) {
  const path = here.path('pipe');
  spawnSync('mkfifo', [path]);
  const reader = opened(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = opened(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const ofPipe = <T>(body: () => T): T | undefined => {
    try {
      return body();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
      throw error;
    }
  };
  return {
    path,
    writer,
    fill() {
      for (const bytes of [4096, 1]) while (ofPipe(() => writeSync(writer, '#'.repeat(bytes))));
    },
    read() {
      let text = '';
      const buffer = Buffer.alloc(65_536);
      for (;;) {
        const count = ofPipe(() => readSync(reader, buffer));
        if (!count) return text;
        text += buffer.toString('utf8', 0, count);
      }
    },
  };
}

test.each(['list', 'log export', 'list --json', '--help'])(
  'the output of %s that does not fit on the disk is told, and ends with 7',
  async line => {
    const here = await placeWithDomain();
    await here.run(['create', 'web1', 's1']);
    const stdout = opened('/dev/full', constants.O_WRONLY);
    const { exit, said } = await runTo(here, line, { stdout });
    expect(exit, said).toBe(7);
    expect(said).toContain('the output could not be written: ENOSPC');
  },
);

test.each(['', '--json '])(
  'an operation whose result cannot be written (%s) is what it is, and says so',
  async json => {
    const here = await placeWithDomain();
    const stdout = opened('/dev/full', constants.O_WRONLY);
    const done = await runTo(here, `${json}create web1 s1`, { stdout });
    expect(done.exit, done.said).toBe(7);
    expect(done.said).toContain('What was to be done is done');
    const refused = await runTo(here, `${json}create web1 s1`, { stdout });
    expect(refused.exit, refused.said).toBe(3);
    expect((await here.run(['list', 'web1'])).stdout).toContain('s1');
  },
);

test('a reader that goes away is no failure', async () => {
  const here = await placeWithDomain();
  const shell = `"$0" "$@" | true; exit "\${PIPESTATUS[0]}"`;
  const args = ['-c', shell, process.execPath, CLI, '--home', here.home, 'create', 'web1', 's1'];
  expect(spawnSync('bash', args).status).toBe(0);
});

test('a log that nobody reads makes no operation wait', async () => {
  const here = await placeWithDomain();
  const unread = pipe(here);
  unread.fill();
  const { exit } = await runTo(here, '--verbose create web1 s1', { stderr: unread.writer });
  expect(exit).toBe(0);
  const file = await here.run(['--log-file', unread.path, 'create', 'web1', 's2']);
  expect(file.exit, file.stderr).toBe(0);
  expect(file.stderr).toContain('the log is not whole: nobody read it');
}, 60_000);

test('a log that is read is whole and in its order, also when the process is killed in a step', async () => {
  const here = await placeWithDomain();
  const log = here.path('log');
  const { writer, read } = pipe(here);
  const args = `--verbose --log-file ${log} create web1 s1`;
  const crash = { DOMSNAP_FAILPOINT: 'createOverlays:after', DOMSNAP_WATCHDOG: 'off' };
  expect(await runTo(here, args, {}, crash)).toMatchObject({ exit: 'SIGKILL' });
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
    step: 'createOverlays',
    msg: 'tool called',
  });
  await runTo(
    here,
    '--verbose recover',
    { stderr: writer },
    { DOMSNAP_FAILPOINT: 'publish:after' },
  );
  const [, last = ''] = /(\{.*\})\n(?:[^{]*)$/.exec(read()) ?? [];
  expect(JSON.parse(last)).toMatchObject({ msg: 'recorded', key: expect.stringContaining('/') });
});

test('a writer never waits, keeps the order, and gives up a reader that stands still when told to', async () => {
  const here = place();
  spawnSync('mkdir', ['-p', here.folder]);
  const { writer: fd, fill, read } = pipe(here);
  fill();
  const filled = read().length;
  fill();
  const writer = patientWriter(fd);
  const beganMs = performance.now();
  const lines = [...Array(10_000).keys()].map(n => `line ${n} of some that nobody reads yet\n`);
  for (const line of lines) writer.write(line);
  expect(performance.now() - beganMs).toBeLessThan(2_000);
  expect(writer.waitingBytes()).toBe(lines.join('').length);
  let text = '';
  const all = writer.drained();
  let over = false;
  void all.then(() => {
    over = true;
  });
  while (!over) {
    text += read();
    await sleep(5);
  }
  text += read();
  expect(await all).toBe(true);
  expect(text.slice(filled)).toBe(lines.join(''));
  fill();
  writer.write('never read');
  expect(await writer.drained(100)).toBe(false);
  expect(writer.failure()).toBeUndefined();
});
