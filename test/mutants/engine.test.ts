import { describe, expect, test } from 'vitest';
import * as ours from '../../src/engine/run.ts';
import { SCENARIOS } from '../sim/scenarios.ts';
import { prepare, type Scenario } from '../sim/stage.ts';
import { complaints, judgeRun, type Trouble } from '../sim/sweep.ts';
import { type Mutation, mutant } from './mutate.ts';

type EngineUnderTest = Pick<typeof ours, 'start' | 'resume'>;

const named = (name: string): Scenario =>
  SCENARIOS.find(scenario => scenario.name === name) as Scenario;
const CREATE = named('create.live.disk-only.external');
const DELETE = named('delete.live.standalone.external, upward');

/** One trouble at each moment of a scenario in turn; all complaints about what came of it. */
async function sweep(
  engine: EngineUnderTest,
  scenario: Scenario,
  strike: (at: number) => Omit<Trouble, 'seed'>,
): Promise<string[]> {
  const judge = async (trouble: Trouble) =>
    judgeRun({ ...(await prepare(scenario, trouble.seed)), engine }, trouble);
  const { moments } = await judge({ faults: [], seed: 1 });
  const said: string[] = [];
  for (let at = 1; at <= moments; at += 1) {
    said.push(...complaints([await judge({ ...strike(at), seed: at })]));
  }
  return said;
}

/** The checks, by name: each finds nothing wrong with our engine. */
const CHECKS: Record<string, (engine: EngineUnderTest) => Promise<string[]>> = {
  'the engine dies at each moment of a create': engine =>
    sweep(engine, CREATE, at => ({ faults: [{ kind: 'engine-dies', at }] })),
  'the engine dies at each moment of a delete': engine =>
    sweep(engine, DELETE, at => ({ faults: [{ kind: 'engine-dies', at }] })),
  'the host dies at each moment of a create': engine =>
    sweep(engine, CREATE, at => ({ faults: [{ kind: 'host-dies', at }] })),
  'a call answers late at each moment of a create': engine =>
    sweep(engine, CREATE, at => ({ faults: [{ kind: 'late', at, lateMs: 6_000 }] })),
};

interface Mutant {
  readonly name: string;
  readonly mutation: Mutation;
  readonly caughtBy: keyof typeof CHECKS;
  /** What the check says of it. */
  readonly says: RegExp;
}

const MUTANTS: readonly Mutant[] = [
  {
    name: 'forgets the pending effect when it takes an operation up again',
    mutation: {
      'run.ts': [
        [
          'let inDoubt = resumed;',
          `let inDoubt = false;
    const [forgotten] = resumed ? this.#decision.wanted : [];
    if (forgotten) this.take({ type: 'done', effect: forgotten.id, output: {} });`,
        ],
      ],
    },
    caughtBy: 'the engine dies at each moment of a create',
    says: /recorded as done by an answer that is not its own/,
  },
  {
    name: 'acts before the record',
    mutation: {
      'run.ts': [
        ['  #records = 0;', '  #records = 0;\n  #early: Promise<Fulfilled> | undefined;'],
        [
          'this.#recorded(this.#engine.journal.append(',
          `this.#early = decision.wanted.length > 0 ? this.#fulfil(false) : undefined;
    this.#early?.catch(() => {});
    this.#recorded(this.#engine.journal.append(`,
        ],
        ['await this.#fulfil(inDoubt)', 'await (this.#early ?? this.#fulfil(inDoubt))'],
      ],
    },
    caughtBy: 'the engine dies at each moment of a create',
    says: /begins before its record/,
  },
  {
    name: 'accepts a stale completion',
    mutation: {
      'carry-out.ts': [
        ['const GRACE_MS', 'export const stale: Fact[] = [];\nconst GRACE_MS'],
        [
          'resolve({ fact: { type:',
          'work.then(({ fact }) => stale.push(fact), () => {});\n        resolve({ fact: { type:',
        ],
      ],
      'run.ts': [
        ['import { carryOut, type Fulfilled }', 'import { carryOut, type Fulfilled, stale }'],
        [
          'const fulfilled = await this.#fulfil(inDoubt);',
          `await new Promise(resolve => this.#engine.clock.after(3_000, () => resolve(undefined)));
      const late = stale.shift();
      const { id } = this.#decision.wanted[0] as { id: string };
      const fact = { type: 'done', effect: id, output: {} } as const;
      const fulfilled = late ? { fact, changes: [], calls: [] } : await this.#fulfil(inDoubt);`,
        ],
      ],
    },
    caughtBy: 'a call answers late at each moment of a create',
    says: /recorded as done by an answer that is not its own/,
  },
  {
    name: 'skips the probe',
    mutation: {
      'carry-out.ts': [
        [
          "task.doubt === 'none' ? undefined : await ask(",
          "task.doubt !== 'ask-only' ? undefined : await ask(",
        ],
      ],
    },
    caughtBy: 'the engine dies at each moment of a delete',
    says: /is in doubt, and not asked about/,
  },
  {
    name: 'skips the fsync',
    mutation: {
      'run.ts': [['const durable = !inside || changes.length > 0;', 'const durable = false;']],
    },
    caughtBy: 'the host dies at each moment of a create',
    says: /I[1-8]: /,
  },
];

describe('our engine', () => {
  test.each(Object.keys(CHECKS))('passes: %s', async name => {
    expect(await CHECKS[name]?.(ours)).toEqual([]);
  });

  test('copied as it is, passes too: it is the mutation that is caught, not the copy', async () => {
    const copy = await mutant({});
    expect(await CHECKS['the engine dies at each moment of a create']?.(copy)).toEqual([]);
  });
});

describe('an engine that', () => {
  test.each(MUTANTS)('$name is caught: $caughtBy', async ({ mutation, caughtBy, says }) => {
    const broken = await mutant(mutation);
    const said = await CHECKS[caughtBy]?.(broken);
    expect(said?.join('\n')).toMatch(says);
  });
});
