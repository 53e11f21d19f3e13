import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { saga } from '../../machines/saga.ts';
import { type Engine, resume, start } from '../../src/engine/run.ts';
import {
  defineStep,
  type EffectContext,
  type Probe,
  StepError,
  type Steps,
} from '../../src/engine/step.ts';
import { systemClock } from '../../src/engine/system-clock.ts';
import { thisProcess } from '../../src/engine/who.ts';
import { type MemoryJournal, memoryJournal } from '../../src/journal/memory.ts';

const step = (name: string, more: object = {}) => ({
  name,
  says: name,
  deadlineMs: 60_000,
  ...more,
});
const undo = (name: string, more: object = {}) => ({
  undo: { name, says: name, deadlineMs: 60_000, ...more },
});

const story = saga({
  id: 'test',
  version: 1,
  title: 'A case for tests',
  story: '',
  steps: [
    step('prepare', undo('tidy')),
    step('halt', { ...undo('go', { liveness: true }), window: true }),
    step('act', { ...undo('unact'), window: true }),
    step('letGo', { window: true }),
    step('commit', { pivot: true }),
    step('finish'),
  ],
});

type Behaviour = {
  act?: (context: EffectContext) => Promise<unknown> | unknown;
  probe?: () => Probe<unknown>;
};
let journal: MemoryJournal;
let done: string[];
let behaviour: Record<string, Behaviour>;
let engine: Engine;

beforeEach(() => {
  journal = memoryJournal({ apply() {} });
  done = [];
  behaviour = {};
  engine = {
    journal,
    clock: systemClock,
    who: thisProcess(),
    locks: { tryAcquire: () => ({ release() {} }) },
  };
});

const names = ['prepare', 'halt', 'act', 'letGo', 'commit', 'finish', 'tidy', 'go', 'unact'];
const steps = (): Steps =>
  Object.fromEntries(
    names.map(name => [
      name,
      defineStep({
        input: z.unknown(),
        output: z.unknown(),
        probe: async () => behaviour[name]?.probe?.() ?? { state: 'absent' },
        async act(_input, context) {
          done.push(name);
          return { output: (await behaviour[name]?.act?.(context)) ?? {} };
        },
      }),
    ]),
  );
const begin = (
  more: { abort?: AbortSignal; park?: AbortSignal; deadlines?: Record<string, number> } = {},
) =>
  start(engine, {
    saga: story,
    steps: steps(),
    id: 'op1',
    subject: 'thing',
    input: {},
    deadlines: {},
    ...more,
  });
const again = () => resume(engine, { saga: story, steps: steps() }, 'op1');
const fail =
  (code = 'failed', retryable = true) =>
  () => {
    throw new StepError(code, `${code} happened`, { retryable });
  };
class Crash extends Error {}
const crashAt = (place: string) => {
  engine = {
    ...engine,
    failpoints: {
      hit(here) {
        if (here === place) throw new Crash();
      },
    },
  };
};
const heal = () => {
  engine = { ...engine, failpoints: { hit() {} } };
};

describe('the way forward', () => {
  test('runs each step once, and records each effect before it begins', async () => {
    const seen: string[] = [];
    behaviour = Object.fromEntries(
      names.map(name => [
        name,
        { act: () => void seen.push(journal.records('op1').at(-1)?.effects[0]?.step ?? '') },
      ]),
    );
    expect((await begin()).outcome).toBe('committed');
    expect(done).toEqual(['prepare', 'halt', 'act', 'letGo', 'commit', 'finish']);
    expect(seen).toEqual(done);
    expect(journal.operation('op1')?.status).toBe('committed');
  });

  test('hands the outputs of earlier steps to later ones', async () => {
    let got: unknown;
    behaviour = {
      prepare: { act: () => ({ made: 'x' }) },
      finish: {
        act({ results }) {
          got = results.prepare;
        },
      },
    };
    await begin();
    expect(got).toEqual({ made: 'x' });
  });

  test('inside the window a record waits for no disk, at its edges it does', async () => {
    const durable: [string, boolean][] = [];
    const { append } = journal;
    journal.append = (record, options) => {
      durable.push([record.to, options.durable]);
      return append(record, options);
    };
    await begin();
    expect(durable).toEqual([
      ['halt', true],
      ['act', false],
      ['letGo', false],
      ['commit', true],
      ['finish', true],
      ['committed', true],
    ]);
  });
});

describe('a failure', () => {
  test('before the pivot compensates: the guest’s life first, then backwards', async () => {
    behaviour = { commit: { act: fail() } };
    const ending = await begin();
    expect(ending.outcome).toBe('rolledBack');
    expect(done.slice(5)).toEqual(['go', 'unact', 'tidy']);
    expect(ending.decision.context.failures).toMatchObject([{ step: 'commit', code: 'failed' }]);
  });

  test('compensates only what was begun', async () => {
    behaviour = { prepare: { act: fail() } };
    expect((await begin()).outcome).toBe('rolledBack');
    expect(done).toEqual(['prepare', 'tidy']);
  });

  test('behind the pivot is retried forward, asking first whether it happened', async () => {
    let tries = 0;
    behaviour = {
      finish: {
        act() {
          tries += 1;
          if (tries < 3) fail()();
        },
      },
    };
    expect((await begin()).outcome).toBe('committed');
    expect(tries).toBe(3);
  });

  test('that leaves the pivot itself in doubt is asked about again by RECOVER', async () => {
    behaviour = { commit: { act: fail('unknown') } };
    expect((await begin()).outcome).toBe('needsAttention');
    behaviour = { commit: { probe: () => ({ state: 'present', output: {} }) } };
    expect((await again()).outcome).toBe('committed');
  });

  test('of a compensation keeps those behind it from destroying what it still needs', async () => {
    behaviour = { commit: { act: fail() }, unact: { act: fail('failed', false) } };
    const ending = await begin();
    expect(ending.outcome).toBe('needsAttention');
    expect(done.slice(5)).toEqual(['go', 'unact', 'go']);
    expect(ending.decision.context.failures.map(({ step }) => step)).toEqual(['commit', 'unact']);
  });

  test('of the pivot itself is no failure where a probe finds it done', async () => {
    behaviour = {
      commit: { act: fail(), probe: () => ({ state: 'present', output: { late: true } }) },
    };
    const ending = await begin();
    expect(ending.outcome).toBe('committed');
    expect(ending.decision.context.results.commit).toEqual({ late: true });
  });

  test('that leaves the effect in doubt lets the guest run and touches nothing else', async () => {
    behaviour = { act: { act: fail('unknown') } };
    expect((await begin()).outcome).toBe('needsAttention');
    expect(done.slice(3)).toEqual(['go']);
  });

  test('of the journal itself, while the guest stands still, lets it run before the process ends', async () => {
    const { append } = journal;
    journal.append = (record, options) => {
      if (record.from === 'act') throw new Error('disk full');
      return append(record, options);
    };
    await expect(begin()).rejects.toThrow('disk full');
    expect(done).toEqual(['prepare', 'halt', 'act', 'go']);
    journal.append = append;
    expect((await again()).outcome).toBe('rolledBack');
  });

  test('that is no StepError is a bug, and stops the process', async () => {
    behaviour = {
      act: {
        act() {
          throw new TypeError('oops');
        },
      },
    };
    await expect(begin()).rejects.toThrow(TypeError);
    expect(journal.operation('op1')?.status).toBe('open');
  });
});

describe('needsAttention', () => {
  test('goes on backwards before the pivot, once what failed is mended', async () => {
    behaviour = { act: { act: fail() }, unact: { act: fail('failed', false) } };
    expect((await begin()).outcome).toBe('needsAttention');
    behaviour = {};
    expect((await again()).outcome).toBe('rolledBack');
  });

  test('goes on forwards behind the pivot', async () => {
    behaviour = { finish: { act: fail('failed', false) } };
    expect((await begin()).outcome).toBe('needsAttention');
    behaviour = {};
    done = [];
    expect((await again()).outcome).toBe('committed');
    expect(done).toEqual(['finish']);
  });
});

describe('deadlines, aborts and parking', () => {
  const hang = ({ signal }: EffectContext) =>
    new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(new StepError('aborted', 'stopped'))),
    );

  test('a step that takes too long fails, and the plan may set how long', async () => {
    behaviour = { act: { act: hang } };
    const ending = await begin({ deadlines: { act: 30 } });
    expect(ending.outcome).toBe('rolledBack');
    expect(ending.decision.context.failures).toMatchObject([{ step: 'act', code: 'deadline' }]);
  });

  test('an abort stops the step at work and compensates', async () => {
    const abort = new AbortController();
    behaviour = {
      act: {
        act(context) {
          setTimeout(() => abort.abort('ctrl-c'), 20);
          return hang(context);
        },
      },
    };
    const ending = await begin({ abort: abort.signal });
    expect(ending.outcome).toBe('rolledBack');
    expect(ending.decision.context.failures).toMatchObject([{ step: 'act', code: 'aborted' }]);
  });

  test('an abort goes back even where the step was quicker than its end', async () => {
    const abort = new AbortController();
    behaviour = { act: { act: () => abort.abort('ctrl-c') } };
    expect((await begin({ abort: abort.signal })).outcome).toBe('rolledBack');
  });

  test('an abort behind the pivot comes too late', async () => {
    const abort = new AbortController();
    behaviour = { finish: { act: () => abort.abort('ctrl-c') } };
    expect((await begin({ abort: abort.signal })).outcome).toBe('committed');
  });

  test('parking never leaves the guest standing still', async () => {
    const park = new AbortController();
    behaviour = { halt: { act: () => park.abort() } };
    const ending = await begin({ park: park.signal });
    expect(ending).toMatchObject({ outcome: 'parked' });
    expect(ending.decision.state).toBe('commit');
    expect((await again()).outcome).toBe('committed');
  });
});

describe('the next life', () => {
  const crash = async (place: string) => {
    crashAt(place);
    await expect(begin()).rejects.toThrow(Crash);
    heal();
  };

  test('does not do again what a probe finds done', async () => {
    await crash('prepare:after');
    behaviour = { prepare: { probe: () => ({ state: 'present', output: { found: true } }) } };
    const ending = await again();
    expect(ending.outcome).toBe('committed');
    expect(done.filter(name => name === 'prepare')).toHaveLength(1);
    expect(ending.decision.context.results.prepare).toEqual({ found: true });
  });

  test('does what a probe finds undone', async () => {
    await crash('prepare:before');
    expect((await again()).outcome).toBe('committed');
    expect(done.filter(name => name === 'prepare')).toHaveLength(1);
  });

  test('waits for a tool that outlived its engine', async () => {
    await crash('finish:after');
    let asked = 0;
    behaviour = {
      finish: {
        probe: () => (++asked < 3 ? { state: 'running' } : { state: 'present', output: {} }),
      },
    };
    expect((await again()).outcome).toBe('committed');
    expect(asked).toBe(3);
    expect(done.filter(name => name === 'finish')).toHaveLength(1);
  });

  test('never guesses: an effect that cannot be told ends in needsAttention', async () => {
    await crash('prepare:after');
    behaviour = { prepare: { probe: () => ({ state: 'unknown', why: 'cannot tell' }) } };
    const ending = await again();
    expect(ending.outcome).toBe('needsAttention');
    expect(ending.decision.context.failures).toMatchObject([{ message: 'cannot tell' }]);
    expect(done).not.toContain('tidy');
  });

  test('does not keep a guest waiting that stands still: it goes back', async () => {
    await crash('act:after');
    const ending = await again();
    expect(ending.outcome).toBe('rolledBack');
    expect(done).toEqual(['prepare', 'halt', 'act', 'go', 'unact', 'tidy']);
  });

  test('takes back all of the window: a dead host’s records may have been lost with it', async () => {
    await crash('act:after');
    journal.loseUnsynced();
    expect(journal.records('op1').at(-1)?.to).toBe('halt');
    expect((await again()).outcome).toBe('rolledBack');
    expect(done).toEqual(['prepare', 'halt', 'act', 'go', 'unact', 'tidy']);
  });

  test('of an operation at its end changes nothing', async () => {
    await begin();
    const before = journal.records('op1').length;
    expect((await again()).outcome).toBe('committed');
    expect(journal.records('op1')).toHaveLength(before);
  });

  test('refuses a journal that its machine does not understand', async () => {
    await crash('prepare:after');
    const other = saga({ ...story, steps: [step('other'), ...story.steps] });
    const run = resume(engine, { saga: other, steps: steps() }, 'op1');
    await expect(run).rejects.toThrow(/the journal says prepare, the machine other/);
  });
});
