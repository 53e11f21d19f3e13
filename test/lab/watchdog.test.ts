import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { JournalRecord, Operation } from '../../src/journal/port.ts';
import { connectQmp, type Qmp } from '../../src/tools/qmp.ts';
import { watchdogsOf } from '../processes.ts';
import { commandLine, launch, launchProgram } from './cases/command.ts';
import { counters, DOMAIN, tools, type World, worldDown, worldUp } from './cases/harness.ts';
import { assertInvariants } from './cases/invariants.ts';
import { OVERLAY } from './cases/storages.ts';

/** What is promised, of a machine that is not busy with tests; the figures are printed. */
const PROMISED_MS = 500;
const LOADED = 20;

let world: World;
let monitor: Qmp | undefined;
/** When the guest stopped and ran, in QEMU's own time. */
let seen: { what: string; atMs: number }[] = [];

beforeAll(async () => {
  world = await worldUp(OVERLAY);
});
afterEach(() => monitor?.close());
afterAll(() => worldDown(world));

/** Hear from the guest's second monitor, which is one client's at a time, when it stops and runs. */
async function listen(): Promise<void> {
  seen = [];
  monitor = await connectQmp({
    path: join(world.lab.files.folder, 'other.sock'),
    deadlineMs: 10_000,
    onEvent({ event, timestamp }) {
      const atMs = timestamp.seconds * 1000 + timestamp.microseconds / 1000;
      if (event === 'STOP' || event === 'RESUME') seen.push({ what: event, atMs });
    },
    ...tools,
  });
}

/** Start the real command, and hear what becomes of the guest. */
async function command(words: readonly string[], env: Record<string, string> = {}) {
  await listen();
  return launch(world, words, env);
}

async function until(what: string, isTrue: () => boolean): Promise<void> {
  const untilMs = performance.now() + 30_000;
  while (!isTrue()) {
    if (performance.now() > untilMs) throw new Error(`never: ${what}`);
    await sleep(3);
  }
}

const latest = (): Operation | undefined =>
  world.session.journal.operations({ subject: DOMAIN, limit: 1 })[0];
const isOpen = () => latest()?.status === 'open';
const guestStops = () => until('the guest stands still', () => seen.at(-1)?.what === 'STOP');

/** Nobody types anything: the operation comes to its end, and the world is whole. */
async function comesToItsEnd(): Promise<{ status: string; records: readonly JournalRecord[] }> {
  await until('an end', () => !isOpen());
  await until('the watcher is gone', () => watchdogsOf(world.session.home).length === 0);
  monitor?.close();
  await assertInvariants(world, { runState: 'running' });
  const { mem } = await counters(world);
  await sleep(200);
  expect((await counters(world)).mem, 'the guest counts on').toBeGreaterThan(mem);
  const { id = '', status = '' } = latest() ?? {};
  return { status, records: world.session.journal.records(id) };
}

/** How long the guest stood still after its engine was gone, by its monitor. */
function standstillMs(place: string, diedMs: number): number {
  const [resumed] = seen.filter(({ what, atMs }) => what === 'RESUME' && atMs > diedMs);
  const ms = (resumed?.atMs ?? Number.NaN) - diedMs;
  console.log(`${place}: the guest runs ${ms.toFixed(0)} ms after the engine's end`);
  return ms;
}

describe('an engine that is killed while the guest stands still', () => {
  test.each([['pauseDomain:after'], ['snapshotDisks:inside'], ['snapshotDisks:after']])(
    'at %s: it runs again at once, and the operation is taken back',
    async place => {
      const { exited } = await command(['create', DOMAIN, 'killed'], { DOMSNAP_FAILPOINT: place });
      const { signal, atMs } = await exited;
      expect(signal).toBe('SIGKILL');
      expect((await comesToItsEnd()).status).toBe('rolledBack');
      expect(standstillMs(place, atMs)).toBeLessThan(PROMISED_MS * LOADED);
    },
  );

  test('with its whole process group', async () => {
    const { pid, exited } = await command(['create', DOMAIN, 'killed', '--memory', 'paused']);
    await guestStops();
    process.kill(-pid, 'SIGKILL');
    const { atMs } = await exited;
    expect((await comesToItsEnd()).status).toBe('rolledBack');
    expect(standstillMs('process group', atMs)).toBeLessThan(PROMISED_MS * LOADED);
  });

  test('in a revert that had ended the guest: the domain started by the next life runs', async () => {
    const made = await (await command(['create', DOMAIN, 'base'])).exited;
    monitor?.close();
    expect(made.signal).toBe(null);
    const args = ['revert', DOMAIN, 'base'];
    const { exited } = await command(args, { DOMSNAP_FAILPOINT: 'loadMemory:after' });
    expect((await exited).signal).toBe('SIGKILL');
    expect((await comesToItsEnd()).status).toBe('committed');
  });
});

describe('an engine that is killed while the guest is frozen', () => {
  test.each([['freezeGuest:after'], ['thawGuest:before']])(
    'at %s: it is thawed at once, and the snapshot is made',
    async place => {
      const args = ['create', DOMAIN, place.replace(':', '-'), '--memory', 'none'];
      const { exited } = await command(args, { DOMSNAP_FAILPOINT: place });
      const { signal, atMs } = await exited;
      expect(signal).toBe('SIGKILL');
      const { status, records } = await comesToItsEnd();
      expect(status).toBe('committed');
      const thawed = records.find(({ from, fact }) => from === 'thawGuest' && fact.type === 'done');
      const ms = (thawed?.at ?? Number.NaN) - atMs;
      console.log(`${place}: the guest is thawed ${ms} ms after the engine's end`);
      expect(ms).toBeLessThan(PROMISED_MS * LOADED);
    },
  );
});

describe('an engine that hangs', () => {
  const hangs = { DOMSNAP_WATCHDOG: '1', DOMSNAP_FAILPOINT_SIGNAL: 'SIGSTOP' };
  /** A second of silence, and one of grace. */
  const DEADLINE_MS = 2_000;

  test.each([
    ['while the guest stands still', 'snapshotDisks:after', 'live', 'rolledBack'],
    ['while the guest is frozen', 'freezeGuest:after', 'none', 'committed'],
  ])('%s is killed at its deadline, and recovered from', async (_, place, memory, outcome) => {
    const args = ['create', DOMAIN, `hung-${place.slice(0, 6)}`, '--memory', memory];
    const { pid, exited } = await command(args, { ...hangs, DOMSNAP_FAILPOINT: place });
    await until('it hangs', () => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));
    const beganMs = Date.now();
    const { signal, atMs } = await exited;
    expect(signal).toBe('SIGKILL');
    expect(atMs - beganMs).toBeLessThan(DEADLINE_MS + PROMISED_MS * LOADED);
    expect((await comesToItsEnd()).status).toBe(outcome);
  });
});

test('an engine whose terminal closes calls the operation off itself', async () => {
  const create = commandLine(['create', DOMAIN, 'closed', '--memory', 'paused']).join(' ');
  await listen();
  const { pid, exited } = launchProgram(world, ['script', '-qfc', create, '/dev/null']);
  await guestStops();
  process.kill(pid, 'SIGKILL');
  await exited;
  const { status, records } = await comesToItsEnd();
  expect(status).toBe('rolledBack');
  const abort = records.find(({ fact }) => fact.type === 'abort')?.fact;
  expect(abort).toMatchObject({ reason: 'called off by SIGHUP' });
});

test('what the watchdog did is in its log', () => {
  const log = readFileSync(join(world.session.home, 'watchdog.log'), 'utf8');
  expect(log).toMatch(/watchdog of \d+: it hangs, and is killed/);
  expect(log).toMatch(/"outcome":"rolledBack"/);
});
