import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { MACHINES, machineOf } from '../../machines/index.ts';
import type { Saga } from '../../machines/saga.ts';
import { decisionsOf, type Golden } from './journal-of-run.ts';
import { goldenRuns, goldenRunsOnVolumes } from './runs.ts';

const HINT = 'a released machine must not change: raise its version';
const folder = new URL('.', import.meta.url);
const fileOf = ({ id, version }: Saga, what = '') =>
  new URL(`${id}.v${version}${what}.json`, folder);
const ON_VOLUMES = '.volumes';
const textOf = (golden: Golden) => `${JSON.stringify(golden, null, 1)}\n`;

if (process.env.DOMSNAP_WRITE_GOLDEN === '1') {
  // What is there may be of a released machine: that is what the others are compared with.
  const write = (file: URL, golden: Golden | null) => {
    if (golden && !existsSync(file)) writeFileSync(file, textOf(golden));
  };
  for (const saga of MACHINES.values()) {
    write(fileOf(saga), await goldenRuns(saga));
    write(fileOf(saga, ON_VOLUMES), await goldenRunsOnVolumes(saga));
  }
}

const names = readdirSync(folder).filter(name => name.endsWith('.json'));
const goldenOf = (name: string) =>
  JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Golden;

test('every case has a golden journal of its present version', () => {
  const wanted = [...MACHINES.values()].map(({ id, version }) => `${id}.v${version}.json`);
  expect(wanted.filter(name => !names.includes(name))).toEqual([]);
  expect(names.filter(name => name.endsWith(`${ON_VOLUMES}.json`)).length).toBeGreaterThan(5);
});

describe('what a case has once decided, it decides for ever', () => {
  test.each(names)('%s', name => {
    const golden = goldenOf(name);
    const saga = machineOf(golden.case, golden.version);
    for (const [run, records] of Object.entries(golden.runs)) {
      const now = decisionsOf(
        saga,
        records.map(({ fact }) => fact),
      );
      const say = `${name}, ${run}: ${HINT}`;
      expect(now, say).toEqual(records);
      expect(JSON.stringify(now), say).toBe(JSON.stringify(records));
    }
  });
});

test('a golden journal holds a run that is done, one that goes back and one that is recovered', () => {
  for (const name of names) {
    const { runs, ...golden } = goldenOf(name);
    const ends = Object.entries(runs).map(([run, records]) => [run, records.at(-1)?.state]);
    // What begins with its pivot has nothing to go back to.
    const goesBack = machineOf(golden.case, golden.version).steps[0]?.pivot !== true;
    expect(Object.fromEntries(ends), name).toMatchObject({
      committed: 'committed',
      ...(goesBack ? { rolledBack: 'rolledBack' } : {}),
      recovered: expect.stringMatching(/^(committed|rolledBack)$/),
    });
  }
});

test('a machine that changes is noticed', () => {
  const golden = goldenOf('create.live.disk-only.external.v1.json');
  const other = machineOf('create.live.disk-only.internal', 1);
  const facts = (golden.runs.committed ?? []).map(({ fact }) => fact);
  expect(() => decisionsOf(other, facts)).toThrow('does not wait for');
});
