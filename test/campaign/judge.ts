import { setTimeout as sleep } from 'node:timers/promises';
import { recover } from '../../src/operations/recover.ts';
import { ToolError } from '../../src/tools/tool-error.ts';
import { launch, type Running } from '../lab/cases/command.ts';
import { ask, boots, counters, DOMAIN, type World } from '../lab/cases/harness.ts';
import { ticks } from '../lab/cases/instants.ts';
import { assertInvariants } from '../lab/cases/invariants.ts';
import { runStateOf } from '../lab/cases/operate.ts';
import { rescuesOf, watchdogsOf } from '../processes.ts';
import type { Chance } from '../seeded-random.ts';

/** How long a command, and a watchdog, may take in the worst case. */
export const END_MS = 90_000;
/** On a busy host a boot takes 10 s. */
const BOOT_MS = 30_000;
/** A guest that runs answers after its next tick, of 50 ms. */
const ASK_MS = 1_500;

/** The domain's last operation. */
export const newest = ({ session }: World) =>
  session.journal.operations({ subject: DOMAIN, limit: 1 })[0];

/** Throws where nobody has touched a command, and yet it has not done its work. */
export async function expectSense(words: readonly string[], { finished }: Running): Promise<void> {
  const { code, stderr } = await finished;
  if (code === 0) return;
  throw new Error(`${words.join(' ')} exited with ${code}: ${stderr.slice(-1_000)}`);
}

/** The operation has been recorded, or never will be. */
export async function begun(
  world: World,
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
  world: World,
  recoveryKills: number,
  chance: Chance,
): Promise<Recovered> {
  const { home } = world.session;
  let kills = 0;
  while (kills < recoveryKills && isOpen(world)) {
    if (await rescueBegins(world)) {
      await sleep(chance.between(0, 600));
      // It has children of its own: a tool that it began, and the next watchdog.
      for (const rescue of rescuesOf(home)) kills += killed(rescue) ? 1 : 0;
    } else kills += await recoverAndKill(world, chance);
  }
  const untilMs = performance.now() + END_MS;
  while (isOpen(world) && [...watchdogsOf(home), ...rescuesOf(home)].length > 0) {
    if (performance.now() > untilMs) throw new Error('the watchdog does not come to an end');
    await sleep(20);
  }
  await world.keeper.ready();
  const attention = attentionOf(world);
  await recover(world.session, undefined);
  return { kills, attention };
}

/** Whether the watchdog of a dead engine has begun to recover; not where there is none. */
async function rescueBegins(world: World): Promise<boolean> {
  const { home } = world.session;
  while (isOpen(world)) {
    if (rescuesOf(home).length > 0) return true;
    if (watchdogsOf(home).length === 0) return false;
    await sleep(5);
  }
  return false;
}

/** A recovery by hand, that is killed with its watchdog; answers how many were. */
async function recoverAndKill(world: World, chance: Chance): Promise<number> {
  if (!isOpen(world)) return 0;
  const again = launch(world, ['recover']);
  await sleep(chance.between(100, 900));
  for (const watcher of watchdogsOf(world.session.home)) killed(watcher);
  const struck = again.running() && killed(again.pid);
  await again.exited;
  return struck ? 1 : 0;
}

function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}

/** What the last operation wants from a person, if it does. */
function attentionOf(world: World): string | null {
  const operation = newest(world);
  if (operation?.status !== 'needsAttention') return null;
  const facts = world.session.journal.records(operation.id).map(({ fact }) => fact);
  return facts.flatMap(fact => (fact.type === 'failed' ? [fact.error.message] : [])).at(-1) ?? '';
}

/** An operation has not come to its end. */
export const isOpen = ({ session }: World): boolean =>
  session.journal.operations({ subject: DOMAIN, status: ['open', 'needsAttention'] }).length > 0;

/** I1 to I8; the domain may stand in one of these states. */
export async function looksWhole(world: World, allowed: readonly string[]): Promise<void> {
  const state = await runStateOf(world);
  if (!allowed.includes(state)) throw new Error(`I1: the domain is ${state}, not ${allowed}`);
  await assertInvariants(world, { runState: state });
  if (state === 'running') await countsOn(world);
}

/**
 * The guest's counter goes up. One that was started anew hears nothing before it has booted, or hears it
 * all at once: it is asked one time, and then when its console says that it ticks.
 */
async function countsOn(world: World): Promise<void> {
  const before = boots(world);
  const answer = await ask(world, 'nonce', ASK_MS).catch(silence);
  const untilMs = performance.now() + (answer === null ? BOOT_MS : 0);
  while (boots(world) === before && performance.now() < untilMs) await sleep(50);
  // What was asked too early may be answered now.
  for (let triesLeft = 5; triesLeft > 0 && Number.isNaN((await counters(world)).mem); )
    triesLeft -= 1;
  await ticks(world);
}

function silence(error: unknown): null {
  if (error instanceof ToolError) return null;
  throw error;
}
