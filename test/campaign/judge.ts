import { setTimeout as sleep } from 'node:timers/promises';
import { ToolError } from '../../src/tools/tool-error.ts';
import type { Running } from '../lab/cases/command.ts';
import { ask, boots, counters, type World } from '../lab/cases/harness.ts';
import { ticks } from '../lab/cases/instants.ts';
import { assertInvariants } from '../lab/cases/invariants.ts';
import { runStateOf } from '../lab/cases/operate.ts';

/** On a busy host a boot takes 10 s. */
const BOOT_MS = 30_000;
/** A guest that runs answers after its next tick, of 50 ms. */
const ASK_MS = 1_500;

/** Throws where nobody has touched a command, and yet it has not done its work. */
export async function expectSense(words: readonly string[], { finished }: Running): Promise<void> {
  const { code, stderr } = await finished;
  if (code === 0) return;
  throw new Error(`${words.join(' ')} exited with ${code}: ${stderr.slice(-1_000)}`);
}

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
