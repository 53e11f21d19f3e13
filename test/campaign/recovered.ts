import { setTimeout as sleep } from 'node:timers/promises';
import { recover } from '../../src/operations/recover.ts';
import type { Session } from '../../src/operations/session.ts';
import { launch, type Running } from '../lab/cases/command.ts';
import { killed, rescuesOf, watchdogsOf } from '../processes.ts';
import type { Chance } from '../seeded-random.ts';

/** How long a command, and a watchdog, may take in the worst case. */
export const END_MS = 90_000;

/** The home of a single domain, in which commands are killed. */
export interface Home {
  readonly session: Session;
  /** Whoever else looks after the domain's process. */
  readonly keeper?: {
    /** Comes back once it answers; what was killed of it is started again. */
    readonly ready: () => Promise<void>;
  };
  /** How much longer than elsewhere everything takes here: 1 unless told. */
  readonly slowness?: number;
}

/** The domain's last operation. */
export const newest = ({ session }: Pick<Home, 'session'>) =>
  session.journal.operations({ limit: 1 })[0];

/** The operation has been recorded, or never will be. */
export async function begun(
  world: Home,
  before: { readonly id: string } | undefined,
  command: Running,
): Promise<void> {
  while (command.running() && newest(world)?.id === before?.id) await sleep(2);
}

/** How an operation was brought to its end. */
export interface Recovered {
  /** How often recovery was killed too. */
  readonly kills: number;
  /** Why it waited for a person until it was recovered by hand. */
  readonly attention: string | null;
}

/** By the watchdog, or by `recover`, which may be killed as well, some times. */
export async function recovered(
  world: Home,
  recoveryKills: number,
  chance: Chance,
): Promise<Recovered> {
  const { slowness = 1, session } = world;
  const { home } = session;
  let kills = 0;
  while (kills < recoveryKills && isOpen(world)) {
    if (await rescueBegins(world)) {
      await sleep(chance.between(0, 600) * slowness);
      // It has children of its own: a tool that it began, and the next watchdog.
      for (const rescue of rescuesOf(home)) kills += killed(rescue) ? 1 : 0;
    } else kills += await recoverAndKill(world, chance);
  }
  const untilMs = performance.now() + END_MS * slowness;
  while (isOpen(world) && [...watchdogsOf(home), ...rescuesOf(home)].length > 0) {
    if (performance.now() > untilMs) throw new Error('the watchdog does not come to an end');
    await sleep(20);
  }
  await world.keeper?.ready();
  const attention = attentionOf(world);
  await recover(session, undefined);
  return { kills, attention };
}

/** Whether the watchdog of a dead engine has begun to recover; not where there is none. */
async function rescueBegins(world: Home): Promise<boolean> {
  const { home } = world.session;
  while (isOpen(world)) {
    if (rescuesOf(home).length > 0) return true;
    if (watchdogsOf(home).length === 0) return false;
    await sleep(5);
  }
  return false;
}

/** A recovery by hand, that is killed with its watchdog; answers how many were. */
async function recoverAndKill(world: Home, chance: Chance): Promise<number> {
  if (!isOpen(world)) return 0;
  const again = launch(world, ['recover']);
  await sleep(chance.between(100, 900) * (world.slowness ?? 1));
  for (const watcher of watchdogsOf(world.session.home)) killed(watcher);
  const struck = again.running() && killed(again.pid);
  await again.exited;
  return struck ? 1 : 0;
}

/** What the last operation wants from a person, if it does. */
function attentionOf(world: Home): string | null {
  const operation = newest(world);
  if (operation?.status !== 'needsAttention') return null;
  const facts = world.session.journal.records(operation.id).map(({ fact }) => fact);
  return facts.flatMap(fact => (fact.type === 'failed' ? [fact.error.message] : [])).at(-1) ?? '';
}

/** An operation has not come to its end. */
export const isOpen = ({ session }: Home): boolean =>
  session.journal.operations({ status: ['open', 'needsAttention'] }).length > 0;
