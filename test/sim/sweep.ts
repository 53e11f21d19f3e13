import { SubjectBusyError } from '../../src/journal/port.ts';
import { type Driven, drive, recover } from './drive.ts';
import { type Expectation, violations } from './invariants.ts';
import { type Prepared, prepare, type Scenario } from './stage.ts';
import type { Fault } from './world.ts';

/** What meets a run: faults at moments, and perhaps the user, who calls it off. */
export interface Trouble {
  readonly faults: readonly Fault[];
  readonly abortAt?: number;
  /** Of chance: how long an engine is dead, which of its tools live on. */
  readonly seed: number;
}

/** What a run with faults came to, and what is wrong with it. */
export interface Verdict {
  readonly trouble: Trouble;
  readonly outcome: string;
  readonly wrong: readonly string[];
  readonly moments: number;
}

/** Run a scenario under faults, to its end, and judge everything that it left. */
export async function judge(scenario: Scenario, trouble: Trouble): Promise<Verdict> {
  return judgeRun(await prepare(scenario, trouble.seed), trouble);
}

/** The same for an operation that is ready to begin. */
export async function judgeRun(prepared: Prepared, trouble: Trouble): Promise<Verdict> {
  const { world } = prepared.host;
  const before = new Map([...world.truth].map(([device, held]) => [device, [...held]] as const));
  const startsBefore = world.starts.length;
  const spec = { ...prepared, ...trouble };
  world.breaches = [];
  const about = { input: prepared.input, before, startsBefore };
  let driven: Driven;
  try {
    driven = await drive(spec);
  } catch (error) {
    return { trouble, outcome: 'bug', wrong: [String(error)], moments: world.moments };
  }
  const { outcome, decision } = driven.ending;
  const wrong = violations(prepared.host, { ...about, ending: driven.ending });
  try {
    wrong.push(...(await again(prepared, about, driven)));
  } catch (error) {
    if (error instanceof SubjectBusyError) throw error;
    wrong.push(`on recovery: ${String(error)}`);
  }
  wrong.push(...world.breaches);
  const { moments } = driven;
  const why = decision.context.failures.map(({ step, code }) => `${step}: ${code}`).join(', ');
  return { trouble, outcome: why ? `${outcome} (${why})` : outcome, wrong, moments };
}

/** I7, and the way on: recovering a finished operation changes nothing; an open one comes to an end. */
async function again(
  prepared: Prepared,
  about: Omit<Expectation, 'ending'>,
  { ending }: Driven,
): Promise<string[]> {
  const { world, journal } = prepared.host;
  world.heal();
  const state = () =>
    JSON.stringify([world.store.fingerprint(), journal.records(prepared.operation).length]);
  if (ending.outcome !== 'needsAttention') {
    const then = state();
    await recover(prepared);
    return state() === then ? [] : ['I7: recovering a finished operation changed something'];
  }
  const recovered = await recover(prepared);
  const { outcome, decision } = recovered.ending;
  if (outcome === 'needsAttention') {
    const last = decision.context.failures.at(-1);
    return [`I6: no way on, though nothing is in its way: ${last?.step}: ${last?.message}`];
  }
  return violations(prepared.host, { ...about, ending: recovered.ending }).map(
    what => `after recovery (${outcome}): ${what}`,
  );
}

/** Something at each moment of a scenario in turn; the seed goes with the moment. */
export async function sweep(
  scenario: Scenario,
  strike: (at: number) => Omit<Trouble, 'seed'>,
): Promise<Verdict[]> {
  const { moments } = await judge(scenario, { faults: [], seed: 1 });
  const verdicts: Verdict[] = [];
  for (let at = 1; at <= moments; at += 1) {
    verdicts.push(await judge(scenario, { ...strike(at), seed: at }));
  }
  return verdicts;
}

/** The verdicts that are no acquittal, in a form for people: the trouble in braces can be judged again. */
export const complaints = (verdicts: readonly Verdict[]): string[] =>
  verdicts
    .filter(({ wrong }) => wrong.length > 0)
    .map(
      ({ trouble, outcome, wrong }) => `${JSON.stringify(trouble)} ${outcome}: ${wrong.join('; ')}`,
    );
