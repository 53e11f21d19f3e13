import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { CATALOGUE } from '../../machines/index.ts';
import { type Saga, type SagaStep, saga } from '../../machines/saga.ts';
import { type Engine, resume, start } from '../../src/engine/run.ts';
import { defineStep, StepError, type Steps } from '../../src/engine/step.ts';
import { systemClock } from '../../src/engine/system-clock.ts';
import { mayStandStill } from '../../src/engine/watchdog.ts';
import { thisProcess } from '../../src/engine/who.ts';
import { memoryJournal } from '../../src/journal/memory.ts';

const step = (name: string, undo?: string, more: Partial<SagaStep> = {}): SagaStep => ({
  name,
  says: name,
  deadlineMs: 60_000,
  ...(undo ? { undo: { name: undo, says: undo, deadlineMs: 60_000, ...life(undo) } } : {}),
  ...more,
});
const life = (undo: string) => (/^(thaw|go)$/.test(undo) ? ({ liveness: true } as const) : {});
const inWindow = { window: true } as const;
const caseOf = (...steps: SagaStep[]): Saga =>
  saga({ id: 'test', version: 1, title: '', story: '', steps });

const frozen = caseOf(
  step('prepare', 'tidy'),
  step('freeze', 'thaw'),
  step('halt', 'go', inWindow),
  step('act', 'unact', inWindow),
  step('go', undefined, inWindow),
  step('thaw'),
  step('commit', undefined, { pivot: true }),
  step('finish'),
);

/** What happened, in its order: records by the state that they lead to, and what the watchdog was told. */
let told: string[];
let fails: Record<string, unknown>;
let engine: Engine;

beforeEach(() => {
  told = [];
  fails = {};
  const journal = memoryJournal({ apply() {} });
  const { append } = journal;
  journal.append = (record, options) => {
    if (fails.journal === record.to) throw new Error('disk full');
    told.push(`→ ${record.to}`);
    return append(record, options);
  };
  engine = {
    journal,
    clock: systemClock,
    who: thisProcess(),
    locks: { tryAcquire: () => ({ release() {} }) },
    watchdog: {
      arm(operation) {
        told.push(`arm ${operation}`);
        return {
          standsStill: () => told.push('still'),
          lives: () => told.push('lives'),
          letGo: () => told.push('let go'),
          handOver: () => told.push('hand over'),
        };
      },
    },
  };
});

const steps: Steps = Object.fromEntries(
  ['prepare', 'freeze', 'halt', 'act', 'go', 'thaw', 'commit', 'finish', 'tidy', 'unact'].map(
    name => [
      name,
      defineStep({
        input: z.unknown(),
        output: z.unknown(),
        probe: async () => ({ state: 'absent' }),
        async act() {
          told.push(name);
          if (fails[name]) throw fails[name];
          return { output: {} };
        },
      }),
    ],
  ),
);
const begin = (of: Saga, more: { park?: AbortSignal } = {}) =>
  start(engine, {
    saga: of,
    steps,
    id: 'op1',
    subject: 'thing',
    input: {},
    deadlines: {},
    ...more,
  });
const between = (from: string, to: string) => told.slice(told.indexOf(from), told.indexOf(to) + 1);

describe('the watchdog', () => {
  test('is armed before the first effect, and knows of the freeze before its record is written', async () => {
    await begin(frozen);
    expect(told.slice(0, 5)).toEqual(['arm op1', 'prepare', 'still', '→ freeze', 'freeze']);
  });

  test('hears nothing in the window, and that the guest lives when it has thawed, durably', async () => {
    await begin(frozen);
    expect(between('freeze', 'commit')).toEqual([
      ...['freeze', '→ halt', 'halt', '→ act', 'act', '→ go', 'go', '→ thaw', 'thaw'],
      ...['→ commit', 'lives', 'commit'],
    ]);
    expect(told.slice(-2)).toEqual(['→ committed', 'let go']);
  });

  test('watches the way back to its end: tidying may stop the guest too', async () => {
    fails.act = new StepError('failed', 'no', { retryable: false });
    await begin(frozen);
    expect(told.slice(told.indexOf('act'))).toEqual([
      ...['act', '→ undo halt', 'go', '→ undo freeze', 'thaw', '→ undo act', 'unact'],
      ...['→ undo prepare', 'tidy', '→ rolledBack', 'lives', 'let go'],
    ]);
  });

  test('is not started for a case that never touches the guest’s life', async () => {
    await begin(caseOf(step('prepare', 'tidy'), step('commit', undefined, { pivot: true })));
    expect(told).not.toContain('arm op1');
  });

  test('is let go where the operation is parked: somebody wants it open', async () => {
    const park = new AbortController();
    park.abort();
    expect((await begin(frozen, { park: park.signal })).outcome).toBe('parked');
    expect(told).toEqual(['arm op1', 'let go']);
  });

  test('is handed the operation of an engine that cannot go on, when the guest’s life has been tried', async () => {
    fails.journal = 'act';
    await expect(begin(frozen)).rejects.toThrow('disk full');
    expect(told.slice(-4)).toEqual(['halt', 'go', 'thaw', 'hand over']);
  });

  test('is told nothing by an engine that dies, and watches over the next life too', async () => {
    const dying = { ...engine, failpoints: { hit: dieAt('act:after') } };
    await expect(
      start(dying, { saga: frozen, steps, id: 'op1', subject: 's', input: {}, deadlines: {} }),
    ).rejects.toThrow('died');
    expect(told.at(-1)).toBe('act');
    told = [];
    expect((await resume(engine, { saga: frozen, steps }, 'op1')).outcome).toBe('rolledBack');
    expect(told.slice(0, 3)).toEqual(['arm op1', 'still', '→ undo halt']);
    expect(told.at(-1)).toBe('let go');
  });
});

const dieAt = (place: string) => (here: string) => {
  if (here === place) throw new Error('died');
};

describe('the guest may stand still', () => {
  const stillIn = (id: string) => {
    const found = CATALOGUE.get(id);
    if (!found) throw new Error(`there is no ${id}`);
    return found.steps
      .filter(({ name, window = false }) => {
        const committed = false;
        const rest = { says: '', pivot: false, liveness: false, committed };
        return mayStandStill(found, { meta: { kind: 'forward', step: name, window, ...rest } });
      })
      .map(({ name }) => name);
  };

  test('from the freeze to the thaw', () => {
    expect(stillIn('create.live.disk-only.external')).toEqual([
      ...['freezeGuest', 'pauseDomain', 'quiesceDisks', 'snapshotDisks'],
      ...['unpauseDomain', 'thawGuest'],
    ]);
  });

  test('in the window alone, where memory is saved in the background', () => {
    expect(stillIn('create.live.background.internal')).toEqual([
      ...['pauseDomain', 'quiesceDisks', 'snapshotDisks', 'startCapture', 'unpauseDomain'],
    ]);
  });

  test('from the end of the running guest to the end of a revert', () => {
    const still = stillIn('revert.live.memory.external');
    expect(still).toContain('loadMemory');
    expect(still).not.toContain('validateSnapshot');
  });

  test('in no case that begins with the domain off and ends so', () => {
    expect(stillIn('create.offline.disk-only.internal')).toEqual([]);
  });
});
