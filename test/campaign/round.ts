import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../../src/journal/port.ts';
import { recover } from '../../src/operations/recover.ts';
import { connectQmp } from '../../src/tools/qmp.ts';
import { ToolError } from '../../src/tools/tool-error.ts';
import { launch, type Running } from '../lab/cases/command.ts';
import { DOMAIN, tools, type World } from '../lab/cases/harness.ts';
import { ticks } from '../lab/cases/instants.ts';
import { assertInvariants } from '../lab/cases/invariants.ts';
import { runStateOf } from '../lab/cases/operate.ts';
import { watchdogsOf } from '../processes.ts';
import type { Chance } from '../seeded-random.ts';
import type { Errand } from './errands.ts';
import { strike, type Victim } from './victims.ts';

/** What came of one kill. */
export interface Round {
  readonly case: string;
  readonly victim: Victim;
  /** Whether the victim was there to be killed. */
  readonly struck: boolean;
  /** `none`: killed before the operation began. */
  readonly outcome: Status | 'none';
  /** From the kill to a guest that runs, where it stood still; by its monitor. */
  readonly standstillMs: number | null;
  /** How often recovery was killed too. */
  readonly recoveryKills: number;
}

/** What is to be done in a round; all of it follows from the seed. */
export interface Blow {
  readonly victim: Victim;
  /** Where the engine dies by itself, of the places that this case has been seen to pass. */
  readonly place: string | undefined;
  /** How far into the operation, as a share of what it usually takes. */
  readonly share: number;
  readonly recoveryKills: number;
}

/** How long commands of a case take here; it sets the moments of the kills. */
export type Durations = Map<string, number>;

const USUAL_MS = 700;
const END_MS = 90_000;

/** Kill, let it be recovered from, and look at the world. Throws where an invariant does not hold. */
export async function playRound(
  world: World,
  errand: Errand,
  blow: Blow,
  { durations, chance, round }: { durations: Durations; chance: Chance; round: number },
): Promise<Round> {
  const words = await errand.prepare(world, round);
  const caseId = `${errand.case}.${world.storage.ending}`;
  const before = newest(world);
  const guest = await listen(world);
  const env = blow.place ? { DOMSNAP_FAILPOINT: blow.place } : {};
  const command = launch(world, words, env);
  let struck = false;
  let atMs = Date.now();
  if (blow.victim === 'engine at a fail point') {
    struck = (await command.exited).signal === 'SIGKILL';
    atMs = Date.now();
  } else {
    await begun(world, before, command);
    const beganMs = performance.now();
    // A tool lives for milliseconds, early in most cases: the first that is seen will do.
    const share = blow.victim === 'a tool' ? blow.share / 4 : blow.share;
    await sleep(share * (durations.get(caseId) ?? USUAL_MS));
    do {
      atMs = Date.now();
      struck = command.running() && strike(blow.victim, command, world);
      await sleep(1);
    } while (blow.victim === 'a tool' && !struck && command.running());
    await command.exited;
    if (!struck) durations.set(caseId, Math.min(performance.now() - beganMs, 10_000));
  }
  await command.exited;
  if (!struck) await expectSense(words, command);
  const recoveryKills = await recovered(world, blow, chance);
  const standstillMs = guest.standstillAfter(atMs);
  guest.close();
  await looksWhole(world, errand, blow.victim);
  const operation = newest(world);
  return {
    case: caseId,
    victim: blow.victim,
    struck,
    outcome: operation && operation.id !== before?.id ? operation.status : 'none',
    standstillMs,
    recoveryKills,
  };
}

const newest = ({ session }: World) => session.journal.operations({ subject: DOMAIN, limit: 1 })[0];

/** Throws where nobody has touched a command, and yet it has not done its work. */
async function expectSense(words: readonly string[], { finished }: Running): Promise<void> {
  const { code, stderr } = await finished;
  if (code === 0) return;
  throw new Error(`${words.join(' ')} exited with ${code}: ${stderr.slice(-1_000)}`);
}

/** The operation has been recorded, or never will be. */
async function begun(
  world: World,
  before: { readonly id: string } | undefined,
  command: Running,
): Promise<void> {
  while (command.running() && newest(world)?.id === before?.id) await sleep(2);
}

/** By the watchdog, or by `recover`, which may be killed as well, some times. */
async function recovered(world: World, blow: Blow, chance: Chance): Promise<number> {
  let kills = 0;
  while (kills < blow.recoveryKills && isOpen(world)) {
    const again = launch(world, ['recover']);
    await sleep(chance.between(100, 900));
    for (const watcher of watchdogsOf(world.session.home)) process.kill(watcher, 'SIGKILL');
    if (again.running()) {
      process.kill(again.pid, 'SIGKILL');
      kills += 1;
    }
    await again.exited;
  }
  const untilMs = performance.now() + END_MS;
  while (isOpen(world) && watchdogsOf(world.session.home).length > 0) {
    if (performance.now() > untilMs) throw new Error('the watchdog does not come to an end');
    await sleep(20);
  }
  await recover(world.session, undefined);
  return kills;
}

const isOpen = ({ session }: World): boolean =>
  session.journal.operations({ subject: DOMAIN, status: ['open', 'needsAttention'] }).length > 0;

/** I1 to I8; a domain whose process was killed may be off, whatever it was before. */
async function looksWhole(world: World, errand: Errand, victim: Victim): Promise<void> {
  const state = await runStateOf(world);
  const allowed: string[] = [errand.before, errand.after];
  if (victim === 'QEMU' || victim === 'QEMU and engine') allowed.push('off');
  if (!allowed.includes(state)) throw new Error(`I1: the domain is ${state}`);
  await assertInvariants(world, { runState: state });
  if (state === 'running') await countsOn(world);
}

/** A guest that was started anew does not answer before it has booted. */
async function countsOn(world: World): Promise<void> {
  for (let left = 3; ; left -= 1) {
    try {
      await ticks(world);
      return;
    } catch (error) {
      if (!(error instanceof ToolError) || left === 0) throw error;
    }
  }
}

/** Hear from the guest's second monitor when it stops and runs. A domain that is off has nothing to say. */
async function listen({ lab }: World) {
  const seen: { readonly event: string; readonly atMs: number }[] = [];
  const monitor = await connectQmp({
    path: join(lab.files.folder, 'other.sock'),
    deadlineMs: 10_000,
    onEvent({ event, timestamp }) {
      const atMs = timestamp.seconds * 1000 + timestamp.microseconds / 1000;
      if (event === 'STOP' || event === 'RESUME') seen.push({ event, atMs });
    },
    ...tools,
  }).catch(() => undefined);
  return {
    close: () => monitor?.close(),
    standstillAfter(killedMs: number): number | null {
      if (seen.filter(({ atMs }) => atMs <= killedMs).at(-1)?.event !== 'STOP') return null;
      const resumed = seen.find(({ event, atMs }) => event === 'RESUME' && atMs > killedMs);
      return resumed ? resumed.atMs - killedMs : null;
    },
  };
}
