import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { processAlive, processStartTicks } from '../../src/tools/process.ts';
import { WATCH_SCRIPT } from '../../src/tools/watch-process.ts';
import { tempFolder } from './temp-folder.ts';

const PROCESS = new URL('watched-process.ts', import.meta.url).pathname;

interface Watched {
  readonly child: ChildProcess;
  readonly watcher: number;
  readonly exited: Promise<string | number>;
  mark(): string;
  log(): string;
}

/** Start a process that is watched over, in a group of its own, and wait until it has done its words. */
async function watched(words: readonly string[], env: Record<string, string> = {}) {
  const folder = tempFolder();
  const [log, mark] = [join(folder, 'log'), join(folder, 'mark')];
  const child = spawn(process.execPath, [PROCESS, log, mark, ...words], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = new Promise<string | number>(resolve =>
    child.on('exit', (code, signal) => resolve(signal ?? code ?? '?')),
  );
  const line = await Promise.race([
    new Promise<string>(resolve => child.stdout.once('data', data => resolve(String(data)))),
    exited.then(String),
  ]);
  const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');
  const watcher = Number.parseInt(line, 10);
  const found: Watched = { child, watcher, exited, mark: () => read(mark), log: () => read(log) };
  return found;
}

async function soon(what: string, isTrue: () => boolean, withinMs = 5_000): Promise<number> {
  const beganMs = performance.now();
  while (!isTrue()) {
    if (performance.now() - beganMs > withinMs)
      throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(5);
  }
  return performance.now() - beganMs;
}

test('a process that is killed is recovered from at once', async () => {
  const { child, exited, mark, log } = await watched([]);
  child.kill('SIGKILL');
  await exited;
  await soon('recovered', () => mark() === 'recovered op1\n');
  expect(log()).toMatch(/^20\d\d-\d\d-\d\dT[\d:]+Z watchdog of \d+: it is gone: .*op1\n$/);
});

test('killing its whole process group does not reach the watcher', async () => {
  const { child, exited, mark } = await watched(['still 10']);
  process.kill(-(child.pid ?? 0), 'SIGKILL');
  await exited;
  await soon('recovered', () => mark() === 'recovered op1\n');
});

test('a process that said it was done is not recovered from, and its watcher is gone', async () => {
  const { child, watcher, exited, mark } = await watched(['still 10', 'lives', 'done']);
  await soon('the watcher is gone', () => !processAlive(watcher));
  child.kill('SIGKILL');
  await exited;
  await sleep(300);
  expect(mark()).toBe('');
});

test('the last words of a process that ends at once are heard', async () => {
  const { watcher, mark } = await watched(['still 10', 'lives', 'done', 'die']);
  expect(watcher).toBeNaN();
  await sleep(500);
  expect(mark()).toBe('');
});

test('one that hangs while it must not is killed when its time is over, and recovered from', async () => {
  const { child, exited, mark, log } = await watched(['still 1']);
  child.kill('SIGSTOP');
  const beganMs = performance.now();
  expect(await exited).toBe('SIGKILL');
  expect(performance.now() - beganMs).toBeGreaterThan(900);
  await soon('recovered', () => mark() === 'recovered op1\n');
  expect(log()).toContain('it hangs, and is killed');
});

test('signs of life keep a process, and one that may take its time is left alone', async () => {
  const { child, mark } = await watched(['still 0.1', 'still 60', 'still 0.1', 'lives']);
  child.kill('SIGSTOP');
  await sleep(2_000);
  expect(processAlive(child.pid ?? 0)).toBe(true);
  expect(mark()).toBe('');
});

test('an engine that hangs up without a word is recovered from, and not killed', async () => {
  const { child, mark } = await watched(['still 0.1', 'hang up']);
  await soon('recovered', () => mark() === 'recovered op1\n');
  await sleep(1_500);
  expect(processAlive(child.pid ?? 0)).toBe(true);
});

test('another process that got the pid of the dead one is not killed', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const pid = child.pid ?? 0;
  const started = processStartTicks(pid) ?? 0;
  const survives = async (ticks: number) => {
    const argv = ['-c', WATCH_SCRIPT, 'w', String(pid), String(ticks), '0', 'true'];
    const shell = spawn('/bin/sh', argv, { stdio: ['pipe', 'ignore', 'ignore'] });
    shell.stdin.write('still 0.1\n');
    await sleep(1_600);
    shell.stdin.end();
    return processAlive(pid);
  };
  expect(await survives(started - 1)).toBe(true);
  expect(await survives(started)).toBe(false);
});

test('recoveries that die are followed by others, but not for ever', async () => {
  const third = await watched([], { DOMSNAP_WATCHDOG_DEATHS: '2' });
  expect(third.watcher).toBeGreaterThan(0);
  const fourth = await watched([], { DOMSNAP_WATCHDOG_DEATHS: '3' });
  expect(fourth.watcher).toBeNaN();
});

test('a watcher that has gone hurts nobody', async () => {
  const { child, watcher } = await watched([]);
  process.kill(watcher, 'SIGKILL');
  await soon('the watcher is gone', () => !processAlive(watcher));
  await sleep(100);
  expect(processAlive(child.pid ?? 0)).toBe(true);
});

test('its log is bounded: a large one is put aside', async () => {
  const folder = tempFolder();
  const log = join(folder, 'log');
  writeFileSync(log, 'x'.repeat(70_000));
  const child = spawn(process.execPath, [PROCESS, log, join(folder, 'mark'), 'done'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await new Promise(resolve => child.stdout.once('data', resolve));
  expect(statSync(log)).toMatchObject({ size: 0 });
  expect(statSync(log).mode & 0o777).toBe(0o600);
  expect(statSync(`${log}.old`).size).toBe(70_000);
});
