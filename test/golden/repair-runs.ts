import type { Saga } from '../../machines/saga.ts';
import type { Fact } from '../../src/engine/fact.ts';
import { decisionsOf, type Golden } from './journal-of-run.ts';

const who = { uid: 0, login: 'root', host: 'host', pid: 1 };

/** Runs of a machine of one step, such as all repairs are: by their facts alone. */
export function repairRuns(saga: Saga): Golden {
  const [step, ...more] = saga.steps;
  if (!step || more.length > 0) throw new Error(`${saga.id} is no machine of one step`);
  const input = { operation: saga.id.startsWith('gc') ? 'gc' : 'repair', domain: 'vm' };
  const started: Fact = { type: 'started', input, deadlines: {}, who };
  const effect = step.name;
  const done: Fact = { type: 'done', effect, output: {} };
  const failed = (code: string): Fact => ({
    type: 'failed',
    effect,
    error: { code, message: 'it failed', retryable: false },
  });
  const recover: Fact = { type: 'recover', who };
  const runs: Readonly<Record<string, readonly Fact[]>> = {
    committed: [started, done],
    rolledBack: [started, { type: 'abort', reason: 'the user' }],
    recovered: [started, failed('unknown'), recover, done],
    failed: [started, failed('io')],
    attended: [started, failed('unknown'), recover, failed('unknown'), recover, failed('io')],
  };
  return {
    case: saga.id,
    version: saga.version,
    runs: Object.fromEntries(
      Object.entries(runs).map(([name, facts]) => [name, decisionsOf(saga, facts)]),
    ),
  };
}
