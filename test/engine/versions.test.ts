import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { EARLIER, findMachine, MACHINES, UnknownMachineError } from '../../machines/index.ts';
import { type Saga, type SagaStep, saga } from '../../machines/saga.ts';
import { type Engine, resume, start } from '../../src/engine/run.ts';
import { defineStep, type Steps } from '../../src/engine/step.ts';
import { systemClock } from '../../src/engine/system-clock.ts';
import { thisProcess } from '../../src/engine/who.ts';
import { memoryJournal } from '../../src/journal/memory.ts';
import { placeWithDomain } from '../cli/domsnap.ts';

const term = (name: string) => ({ name, says: name, deadlineMs: 5_000 });
const step = (name: string, more: Partial<SagaStep> = {}): SagaStep => ({ ...term(name), ...more });
const copy = step('copy', { undo: term('drop') });
const spec = { id: 'test', title: '', story: '' };
/** What was released first, and a later version that has a step more before the copy, and a new order. */
const first = saga({
  ...spec,
  version: 1,
  steps: [step('reserve', { undo: term('release') }), copy, step('publish', { pivot: true })],
});
const second = saga({
  ...spec,
  version: 2,
  steps: [
    step('measure'),
    copy,
    step('seal', { undo: term('unseal') }),
    step('publish', { pivot: true }),
  ],
});

class Death extends Error {}

/** An engine whose world is a list of acts; it dies where `dies` says. */
function host() {
  const acts: string[] = [];
  const journal = memoryJournal({ apply() {} });
  let dies: string | undefined;
  const steps: Steps = Object.fromEntries(
    ['reserve', 'release', 'copy', 'drop', 'publish', 'measure', 'seal', 'unseal'].map(name => [
      name,
      defineStep({
        input: z.unknown(),
        output: z.unknown(),
        probe: async () => ({ state: 'absent' as const }),
        async act() {
          acts.push(name);
          return { output: {} };
        },
      }),
    ]),
  );
  const engine: Engine = {
    journal,
    locks: { tryAcquire: () => ({ release() {} }) },
    clock: systemClock,
    who: thisProcess(),
    failpoints: {
      hit(place) {
        if (place === dies) throw new Death();
      },
    },
  };
  return {
    acts,
    journal,
    async diesIn(begun: Saga, place: string) {
      dies = place;
      const run = { saga: begun, steps, id: 'op1', subject: 'vm', input: {}, deadlines: {} };
      await expect(start(engine, run)).rejects.toThrow(Death);
      dies = undefined;
    },
    async goesOn(machines: readonly Saga[], abort?: AbortSignal) {
      const operation = journal.operation('op1');
      const { caseId, caseVersion } = operation ?? { caseId: '', caseVersion: 0 };
      const found = findMachine(machines, caseId, caseVersion);
      return resume(engine, { saga: found, steps, ...(abort ? { abort } : {}) }, 'op1');
    },
  };
}

test('an operation that an earlier version began goes on under it after an upgrade', async () => {
  const { acts, journal, diesIn, goesOn } = host();
  await diesIn(first, 'copy:before');
  expect((await goesOn([second, first])).outcome).toBe('committed');
  expect(acts).toEqual(['reserve', 'copy', 'publish']);
  expect(journal.records('op1').map(({ to }) => to)).not.toContain('measure');
});

test('and goes back under it', async () => {
  const { acts, diesIn, goesOn } = host();
  await diesIn(first, 'copy:after');
  const ending = await goesOn([second, first], AbortSignal.abort('the user'));
  expect(ending.outcome).toBe('rolledBack');
  expect(acts).toEqual(['reserve', 'copy', 'copy', 'drop', 'release']);
});

test('under the later version its records would make no sense, and nothing would be done', async () => {
  const { acts, diesIn, goesOn } = host();
  await diesIn(first, 'copy:before');
  const disguised = saga({ ...second, version: 1 });
  await expect(goesOn([disguised])).rejects.toThrow(/does not wait for reserve/);
  expect(acts).toEqual(['reserve']);
});

test('a version that is not there is refused: a newer one, and one that was given up', async () => {
  const { acts, journal, diesIn, goesOn } = host();
  await diesIn(second, 'copy:before');
  const before = journal.since(0, 100);
  const refused = await goesOn([first]).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(UnknownMachineError);
  expect(refused).toMatchObject({ newer: true });
  expect(String(refused)).toContain('begun in version 2; this domsnap has version 1');
  expect(() => findMachine([second], 'test', 1)).toThrow(/version 1; this domsnap has version 2/);
  expect(journal.since(0, 100)).toEqual(before);
  expect(acts).toEqual(['measure']);
});

test('no version of a case is there twice', () => {
  const all = [...MACHINES.values(), ...EARLIER].map(({ id, version }) => `${id} ${version}`);
  expect(new Set(all).size).toBe(all.length);
});

test('the command refuses an operation that a newer domsnap has begun, and leaves it as it is', async () => {
  const here = await placeWithDomain();
  await here.run(['create', 'web1', 's1'], { DOMSNAP_FAILPOINT: 'publish:before' });
  const raw = new DatabaseSync(join(here.home, 'domsnap.db'));
  raw.exec(`UPDATE operation SET case_version = 99 WHERE status = 'open'`);
  raw.close();
  const before = here.fingerprint();
  for (const args of [['recover'], ['create', 'web1', 's2']]) {
    const { exit, stderr } = await here.run(args);
    expect(exit, stderr).toBe(5);
    expect(stderr).toContain('was begun in version 99; this domsnap has version 1');
    expect(stderr).toContain('run the domsnap that began it, or a newer one');
    expect(here.fingerprint()).toBe(before);
  }
});
