import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { ToolCall } from '../../src/tools/call-log.ts';
import { spawnDaemon } from '../../src/tools/daemon.ts';
import { lockHeld } from '../../src/tools/kernel-lock.ts';
import { processAlive, processStartTicks, terminate } from '../../src/tools/process.ts';
import { run } from '../../src/tools/run.ts';
import { failureOf } from './failure.ts';
import { tempFolder } from './temp-folder.ts';

const quiet = () => {};
const limits = { timeoutMs: 5000, log: quiet };

test('arguments reach the program untouched by any shell', async () => {
  const { stdout, stderr } = await run(['printf', '%s|', '$HOME', '*', "a'b", ''], limits);
  expect(stdout).toBe("$HOME|*|a'b||");
  expect(stderr).toBe('');
});

test('input is given on stdin, and without it stdin is empty', async () => {
  expect((await run(['cat'], { ...limits, input: 'hello\n' })).stdout).toBe('hello\n');
  expect((await run(['cat'], limits)).stdout).toBe('');
});

test('a failure carries the exit code and the end of stderr, without escapes', async () => {
  const calls: ToolCall[] = [];
  const script = 'printf "%05000d\\033[2Jno space" 0 >&2; exit 3';
  const error = await failureOf(
    run(['sh', '-c', script], { ...limits, log: call => calls.push(call) }),
  );
  expect(error).toMatchObject({ tool: 'exec', code: 'failed', detail: { exitCode: 3 } });
  expect(error.detail.stderr).toMatch(/^…0+ \[2Jno space$/);
  expect(calls.map(call => call.exit)).toEqual([3]);
});

test('an exit code that the caller knows is an answer', async () => {
  expect((await run(['sh', '-c', 'exit 3'], { ...limits, okExits: [0, 3] })).exitCode).toBe(3);
});

test('a program that a signal ended has failed, and the signal is named', async () => {
  const error = await failureOf(run(['sh', '-c', 'kill -9 $$'], limits));
  expect(error).toMatchObject({ code: 'failed', detail: { signal: 'SIGKILL', exitCode: null } });
});

test('a program that is not installed is missing, with or without a lock', async () => {
  const lock = join(tempFolder(), 'lock');
  expect((await failureOf(run(['no-such-tool'], limits))).code).toBe('missing');
  const error = await failureOf(run(['no-such-tool'], { ...limits, lock }));
  expect(error).toMatchObject({ code: 'missing', detail: { program: 'no-such-tool' } });
});

test('a known tool that is missing names its package', async () => {
  const path = process.env.PATH;
  process.env.PATH = tempFolder();
  onTestFinished(() => {
    process.env.PATH = path;
  });
  const error = await failureOf(run(['qemu-img', '--version'], limits));
  expect(error.message).toContain('apt install qemu-utils');
});

test('a program that takes too long is killed', async () => {
  const startedMs = performance.now();
  const error = await failureOf(run(['sleep', '30'], { ...limits, timeoutMs: 100 }));
  expect(error.code).toBe('timeout');
  expect(performance.now() - startedMs).toBeLessThan(2000);
});

test('a grandchild that keeps stdout open does not keep us waiting for ever', async () => {
  const startedMs = performance.now();
  const error = await failureOf(
    run(['sh', '-c', 'sleep 4 & exit 0'], { ...limits, timeoutMs: 100 }),
  );
  expect(error.code).toBe('timeout');
  expect(performance.now() - startedMs).toBeLessThan(6000);
}, 10_000);

test('an aborted program is killed; one aborted before is not started', async () => {
  const marker = join(tempFolder(), 'started');
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 100);
  const error = await failureOf(run(['sleep', '30'], { ...limits, signal: abort.signal }));
  expect(error.code).toBe('aborted');
  await failureOf(run(['touch', marker], { ...limits, signal: AbortSignal.abort() }));
  expect(existsSync(marker)).toBe(false);
});

test('output beyond the limit is an error, not memory', async () => {
  const error = await failureOf(run(['yes'], { ...limits, maxOutputBytes: 10_000 }));
  expect(error.code).toBe('too-large');
});

test('secrets in arguments reach neither the log nor the error', async () => {
  const calls: ToolCall[] = [];
  const option = 'secret,id=s0,data=hun,,ter2,format=raw';
  const error = await failureOf(
    run(['false', '--object', option], { ...limits, log: call => calls.push(call) }),
  );
  const shown = ['false', '--object', 'secret,id=s0,data=[redacted],format=raw'];
  expect(calls[0]?.command).toEqual(shown);
  expect(error.detail.argv).toEqual(shown);
});

test('while a locked tool runs the lock is held and a second start is busy', async () => {
  const lock = join(tempFolder(), 'effect.lock');
  expect(await lockHeld(lock, quiet)).toBe(false);
  expect(existsSync(lock)).toBe(false);
  const abort = new AbortController();
  const started = `${lock}.started`;
  const tool = ['sh', '-c', 'touch "$0"; exec sleep 30', started] as const;
  const first = failureOf(run(tool, { ...limits, lock, signal: abort.signal }));
  while (!existsSync(started)) await sleep(20);
  expect(await lockHeld(lock, quiet)).toBe(true);
  expect((await failureOf(run(['true'], { ...limits, lock }))).code).toBe('busy');
  abort.abort();
  expect((await first).code).toBe('aborted');
  expect(await lockHeld(lock, quiet)).toBe(false);
  await run(['true'], { ...limits, lock });
});

test('a locked tool outlives the SIGKILL of its engine and all its process group, and the lock says so', async () => {
  const lock = join(tempFolder(), 'effect.lock');
  const tools = new URL('../../src/tools/run.ts', import.meta.url).href;
  const started = `${lock}.started`;
  const engine = `import { run } from ${JSON.stringify(tools)};
    const tool = ['sh', '-c', 'touch "$0"; exec sleep 2', ${JSON.stringify(started)}];
    await run(tool, { timeoutMs: 9999, log() {}, lock: ${JSON.stringify(lock)} });`;
  const log = join(tempFolder(), 'engine.log');
  const argv = [process.execPath, '--input-type=module', '-e', engine] as const;
  const daemon = await spawnDaemon(argv, { log: quiet, logFile: log });
  while (!existsSync(started)) await sleep(20);
  process.kill(-daemon.pid, 'SIGKILL');
  expect(await daemon.exit).toBe('SIGKILL');
  expect(await lockHeld(lock, quiet)).toBe(true);
  while (await lockHeld(lock, quiet)) await sleep(50);
  expect(readFileSync(log, 'utf8')).toBe('');
});

test('a daemon has a session of its own and writes to its log', async () => {
  const logFile = join(tempFolder(), 'daemon.log');
  const script = 'echo out; echo err >&2; sleep 30';
  const daemon = await spawnDaemon(['sh', '-c', script], { log: quiet, logFile });
  const ticks = daemon.startTicks ?? 0;
  const stat = readFileSync(`/proc/${daemon.pid}/stat`, 'utf8');
  expect(Number(stat.slice(stat.lastIndexOf(')')).split(' ')[4])).toBe(daemon.pid);
  while (readFileSync(logFile, 'utf8') !== 'out\nerr\n') await sleep(20);
  process.kill(-daemon.pid, 'SIGTERM');
  expect(await daemon.exit).toBe('SIGTERM');
  expect(processAlive(daemon.pid, ticks)).toBe(false);
});

test('a daemon whose program is not installed is missing', async () => {
  const logFile = join(tempFolder(), 'daemon.log');
  const error = await failureOf(spawnDaemon(['no-such-tool'], { log: quiet, logFile }));
  expect(error.code).toBe('missing');
});

test('a process that ignores SIGTERM is ended by SIGKILL', async () => {
  const logFile = join(tempFolder(), 'daemon.log');
  const script = 'trap "" TERM; echo ready; while :; do sleep 1; done';
  const daemon = await spawnDaemon(['sh', '-c', script], { log: quiet, logFile });
  onTestFinished(() => {
    if (processAlive(daemon.pid)) process.kill(daemon.pid, 'SIGKILL');
  });
  while (readFileSync(logFile, 'utf8') !== 'ready\n') await sleep(20);
  const calls: ToolCall[] = [];
  const log = (call: ToolCall) => calls.push(call);
  await terminate(daemon.pid, daemon.startTicks ?? 0, { graceMs: 200, log });
  expect(await daemon.exit).toBe('SIGKILL');
  expect(calls.map(call => call.exit)).toEqual(['timeout', 'ok']);
});

test('a process that took over the pid of the one meant is left alone', async () => {
  const ticks = processStartTicks(process.pid) ?? 0;
  await terminate(process.pid, ticks + 1, { graceMs: 100, log: quiet });
  expect(processAlive(process.pid, ticks)).toBe(true);
});

test('a session of its own is one that the terminal’s signals do not reach', async () => {
  const session = async (ownSession: boolean) =>
    (await run(['cut', '-d ', '-f6', '/proc/self/stat'], { ...limits, ownSession })).stdout;
  expect(await session(false)).not.toBe(await session(true));
  expect(await session(false)).toBe(await session(false));
});
