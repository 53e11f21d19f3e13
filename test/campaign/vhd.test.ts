import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { thisProcess } from '../../src/engine/who.ts';
import { openSession } from '../../src/operations/open-session.ts';
import type { Session } from '../../src/operations/session.ts';
import { launch } from '../lab/cases/command.ts';
import {
  allStand,
  type Device,
  domsnap,
  guestWrites,
  records,
  shown,
  type VhdWorld,
  vhdDomain,
} from '../lab/cases/vhd-world.ts';
import { killed, watchdogsOf } from '../processes.ts';
import { Chance } from '../seeded-random.ts';
import { libvhdiMissing } from '../tools/vhd/libvhdi.ts';
import { expectSense } from './judge.ts';
import { begun, newest, recovered } from './recovered.ts';

const ROUNDS = Number(process.env.DOMSNAP_VHD_KILLS ?? 4);
const SEED = Number(process.env.DOMSNAP_VHD_SEED ?? 1);
const MIB = 2 ** 20;
const PAGES = { vda: 33 * 256, vdb: 17 * 256 } as const;
/** Few enough that each of them can be read again after each kill. */
const MOST = 6;
const USUAL_MS = 500;
const VICTIMS = ['engine', 'engine and children', 'watchdog and engine'] as const;

const missing = libvhdiMissing();
if (missing) test.skip(missing, () => {});

/** Under a domain that is off, whose disks are chains of VHDs; what they hold is read by libvhdi. */
describe.skipIf(missing !== '')(`kills of operations on VHDs, seed ${SEED}`, () => {
  let world: VhdWorld;
  let session: Session;
  const durations = new Map<string, number>();
  const ends: (() => void)[] = [];

  beforeAll(async () => {
    world = await vhdDomain(clean => ends.push(clean), { vda: 33 * MIB, vdb: 17 * MIB });
    await domsnap(world, 'create', 'web1', 'first', '--disk', 'vda=vhd', '--disk', 'vdb=vhd');
    await allStand(world, shown(world));
    session = openSession({ home: world.here.home, who: thisProcess() });
  });
  afterAll(() => {
    session?.close();
    for (const end of ends) end();
  });

  test.each(Array.from({ length: ROUNDS }, (_, round) => round))(
    'kill %s: done, or as before',
    async round => {
      const chance = new Chance(SEED * 1_000_003 + round);
      await thinOut();
      const words = await errand(chance, round);
      const [operation = '', , name = ''] = words;
      const was = { disks: shown(world), names: names() };
      const held = proofOf(name);
      const victim = chance.of(VICTIMS);

      const before = newest({ session });
      const command = launch({ session }, words);
      await begun({ session }, before, command);
      const beganMs = Date.now();
      await sleep(chance.next() * 1.1 * (durations.get(operation) ?? USUAL_MS));
      const struck = command.running();
      if (struck && victim === 'watchdog and engine')
        for (const watchdog of watchdogsOf(session.home)) killed(watchdog);
      if (struck) process.kill(victim === 'engine' ? command.pid : -command.pid, 'SIGKILL');
      const { atMs } = await command.exited;
      if (!struck) {
        durations.set(operation, atMs - beganMs);
        await expectSense(words, command);
      }
      const { kills } = await recovered({ session }, struck ? chance.below(4) : 0, chance);

      const { status, caseId } = newest({ session }) ?? {};
      const told = struck ? `${victim}, recovery killed ${kills} times` : 'not struck';
      console.log(`kill ${round} of vhd: ${caseId}, ${told} → ${status}`);
      expect(['committed', 'rolledBack']).toContain(status);
      const isDone = status === 'committed';
      if (!isDone) expect(names()).toEqual(was.names);
      else if (operation === 'create') expect(names()).toEqual([...was.names, name]);
      else if (operation === 'delete') expect(names()).not.toContain(name);
      await allStand(world, isDone && operation === 'revert' ? (held ?? []) : was.disks);
      // What a snapshot holds is what the disks showed when it was asked for.
      if (isDone && operation === 'create') expect(proofOf(name)).toEqual(was.disks);
    },
  );

  const names = () => records(world).snapshots.map(({ name }) => name);
  const proofOf = (name: string) =>
    world.proofs.get(
      records(world).snapshots.find(snapshot => snapshot.name === name)?.operation ?? '',
    );

  async function thinOut(): Promise<void> {
    const all = names();
    for (const name of all.length > MOST ? all.slice(1) : []) {
      await domsnap(world, 'delete', 'web1', name);
    }
  }

  /** What the guest has written since, and what is asked for next. */
  async function errand(chance: Chance, round: number): Promise<string[]> {
    for (const device of ['vda', 'vdb'] satisfies Device[]) {
      const pages = 1 + chance.below(1_500);
      const at = chance.below(PAGES[device] - pages);
      await guestWrites(world, device, at, pages, 1 + chance.below(255));
    }
    const all = names();
    const create = ['create', 'web1', `r${round}`];
    if (all.length < 3) return create;
    const [, ...later] = all;
    return chance.of([
      create,
      ['revert', 'web1', chance.of(all)],
      ['delete', 'web1', chance.of(later)],
      // Near the leaves, or there would seldom be a tree.
      ['delete', 'web1', later.at(-1) ?? '', '--children'],
    ]);
  }
});
