import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { hostWatchdog } from '../../src/operations/watchdog.ts';
import { argvOf, processAlive } from '../../src/tools/process.ts';
import { watchdogsOf } from '../processes.ts';
import { tempFolder } from '../tools/temp-folder.ts';

test('its watcher knows how to recover by the very domsnap that runs', async () => {
  const home = tempFolder();
  const watch = hostWatchdog(home).arm('op1');
  const [pid = 0] = watchdogsOf(home);
  expect(argvOf(pid)?.slice(-5)).toEqual([
    ...[process.execPath, expect.stringMatching(/src\/cli\/main\.ts$/), 'rescue', home, 'op1'],
  ]);
  watch.letGo();
});

test('signs of life go on while the guest stands still', async () => {
  const home = tempFolder();
  // Killed after 1.2 s of silence, this very process would not tell of it.
  const watch = hostWatchdog(home, { hangS: 0.2, recover: () => ['true', home] }).arm('op1');
  watch.standsStill();
  await sleep(2_500);
  watch.letGo();
  expect(readFileSync(`${home}/watchdog.log`, 'utf8')).toBe('');
});

test('one that has died is started again before the guest stands still', async () => {
  const home = tempFolder();
  const missed: string[] = [];
  const watch = hostWatchdog(home, {
    recover: () => ['true', home],
    missed: why => missed.push(why),
  }).arm('op1');
  const [first = 0] = watchdogsOf(home);
  process.kill(first, 'SIGKILL');
  while (processAlive(first)) await sleep(5);
  await sleep(50);
  watch.standsStill();
  const [second] = watchdogsOf(home);
  expect(second).toBeGreaterThan(0);
  expect(missed).toEqual(['the watchdog had died, and is started again']);
  watch.letGo();
});

test('an operation goes on without one, and somebody is told', () => {
  const missed: string[] = [];
  const watch = hostWatchdog('/nowhere', { missed: why => missed.push(why) }).arm('op1');
  watch.standsStill();
  watch.lives();
  watch.letGo();
  expect(missed).toEqual([expect.stringContaining('/nowhere/watchdog.log cannot be written')]);
});
