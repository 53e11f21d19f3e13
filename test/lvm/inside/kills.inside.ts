import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDomain, stopDomain, viewDomain } from '../../../src/operations/domains.ts';
import { volumesOf } from '../../../src/tools/lvm-report.ts';
import { begun, isOpen, newest, recovered } from '../../campaign/recovered.ts';
import { launch } from '../../lab/cases/command.ts';
import { killed, watchdogsOf } from '../../processes.ts';
import { Chance } from '../../seeded-random.ts';
import {
  chosenKinds,
  counterAt,
  countersOf,
  DOMAIN,
  done,
  type VolumeWorld,
  volumeWorldDown,
  volumeWorldUp,
} from './volumes.ts';

const ROUNDS = Number(process.env.DOMSNAP_LVM_KILLS ?? 3);
const SEED = Number(process.env.DOMSNAP_LVM_SEED ?? 1);
const USUAL_MS = 4_000;

/** What is killed: the command, or all that it has started too, an LVM command in the middle of its work. */
const VICTIMS = ['engine', 'engine and children', 'watchdog and engine'] as const;

const ERRANDS = ['create', 'checkpoint', 'revert', 'delete'] as const;

describe.each(chosenKinds().map(kind => [kind.name, kind] as const))('%s', (_, kind) => {
  let world: VolumeWorld;
  /** What each snapshot held when it was first seen. */
  const held = new Map<string, readonly number[]>();
  const durations = new Map<string, number>();

  beforeAll(async () => {
    world = await volumeWorldUp(kind);
    await done(world, { operation: 'create', name: 'first', memory: 'none' });
  });
  afterAll(() => volumeWorldDown(world));

  const catalog = () => world.session.catalog;
  const runState = async () => (await viewDomain(world.session, DOMAIN)).view.runState;
  /** Under emulation; and recoveries wait for LVM. */
  const home = () => ({ session: world.session, slowness: 8 });

  test.each(Array.from({ length: ROUNDS }, (_, round) => round))(
    'kill %s: done, or as before',
    { timeout: 600_000 },
    async round => {
      const chance = new Chance(SEED * 1_000_003 + round);
      const live = chance.next() < 0.6;
      await bring(live);
      const errand = chance.of(ERRANDS.filter(one => live || one !== 'checkpoint'));
      const words = await wordsOf(errand, round);
      const before = catalog()
        .snapshots(DOMAIN)
        .map(({ name }) => name);
      const victim = chance.of(VICTIMS);
      const what = `${errand} ${live ? 'live' : 'offline'}, ${victim}`;

      const last = newest(home());
      const command = launch(world, words);
      await begun(home(), last, command);
      const begunMs = Date.now();
      await sleep(chance.next() * 1.1 * (durations.get(errand) ?? USUAL_MS));
      const struck = command.running();
      if (victim === 'watchdog and engine') {
        for (const watchdog of watchdogsOf(world.session.home)) killed(watchdog);
      }
      if (struck) process.kill(victim === 'engine' ? command.pid : -command.pid, 'SIGKILL');
      else durations.set(errand, Date.now() - begunMs);
      const { code, stderr } = await command.finished;
      expect(struck || code === 0, stderr).toBe(true);

      const { kills } = await recovered(home(), struck ? chance.below(3) : 0, chance);
      expect(isOpen(home())).toBe(false);
      const operation = newest(home());
      const told = struck ? `${what}, recovery killed ${kills} times` : `${what}, not struck`;
      console.log(`kill ${round} of ${kind.name}: ${told} → ${operation?.status}`);
      expect(['committed', 'rolledBack']).toContain(operation?.status);
      const names = catalog()
        .snapshots(DOMAIN)
        .map(({ name }) => name);
      if (operation?.status === 'rolledBack') expect(names).toEqual(before);
      await whole(live);
    },
  );

  async function bring(live: boolean): Promise<void> {
    const all = catalog().snapshots(DOMAIN);
    for (const { name } of all.length > 5 ? all.filter(one => one.name !== 'first') : []) {
      await done(world, { operation: 'delete', name });
    }
    if (live) await startDomain(world.session, DOMAIN, {});
    else await stopDomain(world.session, DOMAIN, {});
  }

  async function wordsOf(errand: (typeof ERRANDS)[number], round: number): Promise<string[]> {
    const name = `r${round}`;
    if (errand === 'create') return ['create', DOMAIN, name, '--memory', 'none'];
    if (errand === 'checkpoint') return ['create', DOMAIN, name];
    if (errand === 'revert') return ['revert', DOMAIN, 'first'];
    await done(world, { operation: 'create', name, memory: 'none' });
    return ['delete', DOMAIN, name];
  }

  const watchdogLog = () => {
    const path = `${world.session.home}/watchdog.log`;
    return existsSync(path) ? readFileSync(path, 'utf8') : 'no watchdog has had anything to say';
  };

  /** Nothing is left over, nothing is lost, and the guest is as it was. */
  async function whole(live: boolean): Promise<void> {
    expect(await runState()).toBe(live ? 'running' : 'off');
    const { disks } = catalog().domain(DOMAIN) ?? { disks: [] };
    const snapshots = catalog().snapshots(DOMAIN);
    const volumes = await volumesOf('vg0', { log: () => {} });
    const owned = new Set([
      'pool',
      ...disks.map(({ head }) => head.path.slice('/dev/vg0/'.length)),
      ...snapshots.flatMap(one => one.disks.flatMap(({ tag }) => tag ?? [])),
    ]);
    const visible = volumes.filter(({ name }) => !/^(lvol\d+_pmspare|pool_t)/.test(name));
    expect(visible.map(({ name }) => name).filter(name => !owned.has(name))).toEqual([]);
    for (const { name, suspended, merging, tags } of visible) {
      expect({ name, suspended, merging }).toEqual({ name, suspended: false, merging: false });
      expect(
        tags.filter(tag => tag === 'domsnap.replaced' || tag.startsWith('domsnap.merge')),
      ).toEqual([]);
    }
    for (const snapshot of snapshots) {
      expect(snapshot.state, snapshot.name).toBe('usable');
      const now = countersOf(snapshot);
      expect(now, snapshot.name).toEqual(held.get(snapshot.operation) ?? now);
      held.set(snapshot.operation, now);
      if (snapshot.memory) expect(existsSync(snapshot.memory.path)).toBe(true);
    }
    if (!live) return;
    const from = disks.map(({ head }) => counterAt(head));
    for (
      let tries = 0;
      disks.some(({ head }, n) => counterAt(head) <= (from[n] ?? 0));
      tries += 1
    ) {
      expect(tries, watchdogLog()).toBeLessThan(80);
      await sleep(250);
    }
  }
});
