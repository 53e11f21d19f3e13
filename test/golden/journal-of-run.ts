import type { Saga } from '../../machines/saga.ts';
import { advance, begin, type Decision } from '../../src/engine/decide.ts';
import type { Fact } from '../../src/engine/fact.ts';
import type { Json } from '../../src/engine/json.ts';

/** One record of a golden journal: what happened, and what the machine made of it. */
export interface GoldenRecord {
  readonly fact: Fact;
  readonly state: string;
  readonly effects: Json;
  readonly deadlineMs: number;
  /** Without `input`, which the first fact holds. */
  readonly context: Json;
}

/** What one version of a case decided in some runs. */
export interface Golden {
  readonly case: string;
  readonly version: number;
  readonly runs: Readonly<Record<string, readonly GoldenRecord[]>>;
}

/** What a machine decides over a row of facts. Throws where it does not take one of them. */
export function decisionsOf({ machine }: Saga, facts: readonly Fact[]): GoldenRecord[] {
  const [first, ...rest] = facts;
  if (first?.type !== 'started') throw new Error('a journal begins at the start');
  let decision = begin(machine, first);
  const records = [recordOf(first, decision)];
  for (const fact of rest) {
    decision = advance(machine, decision, fact);
    records.push(recordOf(fact, decision));
  }
  return records;
}

function recordOf(fact: Fact, { state, wanted, deadlineMs, context }: Decision): GoldenRecord {
  const { input: _, ...rest } = context;
  // Through JSON, as a journal keeps it.
  return JSON.parse(
    JSON.stringify({ fact, state, effects: wanted, deadlineMs, context: rest }),
  ) as GoldenRecord;
}
