import { REPAIRS } from '../../machines/index.ts';
import type { Outcome, Saga } from '../../machines/saga.ts';
import type { Fact } from '../../src/engine/fact.ts';
import { type Drive, drive, recover } from '../sim/drive.ts';
import { SCENARIOS } from '../sim/scenarios.ts';
import { VOLUMES } from '../sim/scenarios-of-volumes.ts';
import { prepare, type Scenario } from '../sim/stage.ts';
import type { Fault } from '../sim/world.ts';
import { decisionsOf, type Golden } from './journal-of-run.ts';
import { repairRuns } from './repair-runs.ts';

/** Runs of a case in the simulated host, for its golden journal: each comes out the same every time. */
export async function goldenRuns(saga: Saga): Promise<Golden> {
  if (REPAIRS.has(saga.id)) return repairRuns(saga);
  const scenario = SCENARIOS.find(isOf(saga));
  if (!scenario) throw new Error(`no scenario of ${saga.id}`);
  return runsOf(saga, scenario);
}

/** The same on logical volumes, where more of the work is the steps' own; of cases that differ there. */
export async function goldenRunsOnVolumes(saga: Saga): Promise<Golden | null> {
  const scenario = VOLUMES.find(isOf(saga));
  return scenario ? await runsOf(saga, scenario) : null;
}

const isOf =
  ({ id }: Saga) =>
  ({ name }: Scenario) =>
    name.split(',')[0] === id;

async function runsOf(saga: Saga, scenario: Scenario): Promise<Golden> {
  const { facts: committed, moments } = await run(scenario, {});
  const middle = Math.ceil(moments / 2);
  const dies = await run(scenario, { faults: [{ kind: 'engine-dies', at: middle }] });
  const failing = (more: object) => (at: number) => ({
    faults: [{ kind: 'fails' as const, at, ...more }],
  });
  const persistent = failing({ persistent: true });
  const runs = {
    committed,
    rolledBack: await last(scenario, moments, 'rolledBack', abortAt => ({ abortAt })),
    recovered: dies.facts,
    failed: await last(scenario, moments, 'rolledBack', failing({})),
    attended: await last(scenario, moments, 'needsAttention', persistent),
  };
  return {
    case: saga.id,
    version: saga.version,
    runs: Object.fromEntries(
      Object.entries(runs)
        .filter(([, facts]) => facts.length > 0)
        .map(([name, facts]) => [name, decisionsOf(saga, facts)]),
    ),
  };
}

type Trouble = Pick<Drive, 'abortAt'> & { readonly faults?: readonly Fault[] };

interface Run {
  readonly facts: readonly Fact[];
  readonly outcome: Outcome | 'parked';
  readonly moments: number;
}

/** Run it; what then waits for a person is recovered once nothing is in its way. */
async function run(scenario: Scenario, trouble: Trouble): Promise<Run> {
  const prepared = await prepare(scenario);
  const { ending, moments } = await drive({ ...prepared, ...trouble });
  const { world, journal } = prepared.host;
  world.heal();
  if (ending.outcome === 'needsAttention') await recover(prepared);
  const facts = journal.records(prepared.operation).map(({ fact }) => fact);
  return { facts, outcome: ending.outcome, moments };
}

/**
 * The run in which a trouble leads to an outcome at the latest moment: there most is to be taken back.
 * None where it never does: few cases can fail before their pivot, or wait for a person.
 */
async function last(
  scenario: Scenario,
  moments: number,
  outcome: Outcome,
  trouble: (at: number) => Trouble,
): Promise<readonly Fact[]> {
  for (let at = moments; at > 0; at -= 1) {
    const tried = await run(scenario, trouble(at));
    if (tried.outcome === outcome) return tried.facts;
  }
  return [];
}
