import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Lab, labUp } from '../../src/lab/guest.ts';
import { labDown, labStatus } from '../../src/lab/lab-state.ts';
import { parseValues } from '../../src/lab/lab-values.ts';
import { readCounterFromImage } from '../../src/lab/read-counter.ts';
import { connectAgent } from '../../src/tools/guest-agent.ts';
import { processAlive } from '../../src/tools/process.ts';
import { connectQmp, type Qmp } from '../../src/tools/qmp.ts';
import { connectSerial, type SerialLine } from '../../src/tools/serial.ts';
import { type StartedGuest, startLabGuest } from './start-lab-guest.ts';

const tools = { log: () => {} };
const anything = z.unknown();
// Idle it ticks after 5 s; a machine under load is given eight times that.
const bootMs = 40_000;

let folder: string;
let lab: Lab;
let guest: StartedGuest;
// All of them: a test that fails must not leave the guest before it running.
const started: StartedGuest[] = [];
let serial: SerialLine;
let monitor: Qmp;

/** The counters in the order in which a tick writes them. */
async function counters(): Promise<number[]> {
  const { mem, vda, vdb } = parseValues(await serial.ask('read'));
  return [mem ?? Number.NaN, vda ?? Number.NaN, vdb ?? Number.NaN];
}

const offline = (device: string) => {
  const { format, content } = lab.disks.find(disk => disk.device === device)!;
  const path = join(lab.files.folder, `${device}.${format}`);
  return readCounterFromImage(lab.kit, tools, { path, format, content });
};

async function boot(): Promise<void> {
  guest = await startLabGuest(lab.files.domainFile);
  started.push(guest);
  const untilMs = performance.now() + bootMs;
  for (;;) {
    const log = await readFile(lab.files.consoleLog, 'utf8').catch(() => '');
    if (log.includes('ticking')) break;
    if (!processAlive(guest.pid) || performance.now() > untilMs)
      throw new Error(
        `the guest does not tick: ${log} ${await readFile(join(lab.files.folder, 'qemu.log'), 'utf8')}`,
      );
    await sleep(50);
  }
  serial = await connectSerial(lab.files.serialSocket, { deadlineMs: 20_000 });
  monitor = await connectQmp({ path: lab.files.monitorSocket, deadlineMs: 20_000, ...tools });
}

async function waitForEnd(): Promise<void> {
  const untilMs = performance.now() + 20_000;
  while (processAlive(guest.pid) && performance.now() < untilMs) await sleep(50);
  expect(processAlive(guest.pid)).toBe(false);
}

describe('the lab guest', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'domsnap-lab-'));
    lab = await labUp({ folder: join(folder, 'lab'), intervalMs: 20 }, tools);
    await boot();
  }, 120_000);

  afterAll(async () => {
    serial?.close();
    monitor?.close();
    for (const one of started) await one.end();
    await rm(folder, { recursive: true, force: true });
  });

  test('its counter grows in memory and on both disks, at most one apart and never ahead', async () => {
    const first = await counters();
    await sleep(500);
    const second = await counters();
    for (const [mem, vda, vdb] of [first, second] as [number, number, number][]) {
      expect(mem).toBeGreaterThanOrEqual(vda);
      expect(vda).toBeGreaterThanOrEqual(vdb);
      expect(mem - vdb).toBeLessThanOrEqual(1);
    }
    expect(second[0]).toBeGreaterThan(first[0]! + 1);
  });

  // The shell's `read -t` gave up in the middle of a line when its time was over, and the rest of the
  // line was no command: now and then an answer never came.
  test('no command is lost, however short the pause between two ticks', async () => {
    for (let round = 0; round < 40; round++)
      expect(await serial.ask('nonce')).toMatch(/^boot=[0-9a-f]{8}$/);
  });

  test('a frozen file system stops the workload, and the thaw lets it go on', async () => {
    const path = lab.files.agentSocket;
    const agent = await connectAgent({ path, deadlineMs: 20_000, ...tools });
    await agent.ping();
    expect(await agent.freeze()).toBe(1);
    const frozen = await offline('vda');
    await expect(serial.ask('read', { deadlineMs: 600 })).rejects.toMatchObject({
      code: 'timeout',
    });
    expect((await offline('vda')).n).toBe(frozen.n);
    expect(await agent.thaw()).toBe(1);
    agent.close();
    expect((await counters())[0]).toBeGreaterThanOrEqual(frozen.n);
  });

  test('a stopped guest is told as paused, stands still, and goes on from there', async () => {
    await monitor.execute(anything, 'stop');
    const [vda, vdb] = await Promise.all([offline('vda'), offline('vdb')]);
    expect(vda.n - vdb.n).toBeGreaterThanOrEqual(0);
    expect(vda.n - vdb.n).toBeLessThanOrEqual(1);
    await sleep(300);
    expect((await offline('vdb')).n).toBe(vdb.n);
    monitor.close();
    expect((await labStatus(lab.files.folder, tools)).state).toBe('paused');
    monitor = await connectQmp({ path: lab.files.monitorSocket, deadlineMs: 20_000, ...tools });
    await monitor.execute(anything, 'cont');
    const [mem] = await counters();
    expect(mem).toBeGreaterThanOrEqual(vda.n);
  });

  test('it fills and dirties its memory, and writes data to both disks, and goes on ticking', async () => {
    const [before] = await counters();
    const longer = { deadlineMs: 40_000 };
    expect(await serial.ask('fill 10', longer)).toMatch(/^filled=\d+$/);
    expect(await serial.ask('dirty 8 4', longer)).toBe('dirty=8');
    expect(await serial.ask('write vda 4', longer)).toBe('written=4');
    expect(await serial.ask('write vdb 4', longer)).toBe('written=4');
    expect(await serial.ask('dirty 0 0', longer)).toBe('dirty=0');
    expect((await counters())[0]).toBeGreaterThan(before!);
  });

  test('it goes off by its power button, and both disks then agree with each other', async () => {
    const [mem] = await counters();
    await monitor.execute(anything, 'system_powerdown');
    await waitForEnd();
    const [vda, vdb] = await Promise.all([offline('vda'), offline('vdb')]);
    expect(vda.n).toBeGreaterThanOrEqual(mem!);
    expect(vda.n - vdb.n).toBeLessThanOrEqual(1);
    expect(vdb.boot).toBe(vda.boot);
    expect((await labStatus(lab.files.folder, tools)).state).toBe('off');
  });

  test('booted again, it goes on from its disks under another boot id; killed, it leaves whole disks', async () => {
    const before = await offline('vda');
    await rm(lab.files.consoleLog);
    await boot();
    const found = parseValues(await serial.ask('found'));
    expect(found.vda).toBe(before.n);
    expect(await serial.ask('nonce')).not.toBe(`boot=${before.boot}`);
    await sleep(500);
    process.kill(guest.pid, 'SIGKILL');
    await waitForEnd();
    const [vda, vdb] = await Promise.all([offline('vda'), offline('vdb')]);
    expect(vda.n).toBeGreaterThan(before.n);
    expect([0, 1]).toContain(vda.n - vdb.n);
  });

  test('down removes its folder, and refuses a folder that holds no lab', async () => {
    await labDown(lab.files.folder, tools);
    expect(await labStatus(lab.files.folder, tools)).toMatchObject({ state: 'absent' });
    await expect(labDown(folder, tools)).rejects.toThrow(/no lab/);
  });
});
