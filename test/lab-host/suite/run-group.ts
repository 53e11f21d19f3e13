import { inspect } from 'node:util';
import type { Case, Group, Hook } from './collect.ts';
import type { TestFailure, TestResult } from './report.ts';

type Ended = Pick<TestResult, 'path' | 'status' | 'durationMs' | 'error'>;
type Tell = (result: Ended) => void;

let finishers: (() => unknown)[] = [];

/** What is to be done when the test that runs has ended, the last named first. */
export const onTestFinished = (body: () => unknown): void => {
  finishers.unshift(body);
};

/**
 * Runs the tests of a group, one after the other, between its hooks. A hook that fails fails every test
 * of its group; what ends a group is done in any case, and a failure there is a test of its own.
 */
export async function runGroup(group: Group, above: readonly Group[], tell: Tell): Promise<void> {
  const chain = [...above, group];
  if (group.skipped) return fail(group, above, tell);
  let broken: TestFailure | undefined;
  for (const hook of group.hooks.beforeAll) broken ??= await failureOf([hook]);
  if (broken) fail(group, above, tell, broken);
  else
    for (const entry of group.entries) {
      if (entry.kind === 'group') await runGroup(entry, chain, tell);
      else tell(await runCase(entry, chain));
    }
  const untidy = await failureOf(group.hooks.afterAll.toReversed());
  if (untidy)
    tell({ path: pathOf(chain, 'afterAll'), status: 'failed', durationMs: 0, error: untidy });
}

async function runCase(one: Case, chain: readonly Group[]): Promise<Ended> {
  const path = pathOf(chain, one.name);
  if (one.skipped) return { path, status: 'skipped', durationMs: 0 };
  const begun = performance.now();
  finishers = [];
  const before = chain.flatMap(({ hooks }) => hooks.beforeEach);
  const after = chain.toReversed().flatMap(({ hooks }) => hooks.afterEach.toReversed());
  let error = await failureOf([...before, one]);
  const finishing = finishers.map(body => ({ body, timeoutMs: one.timeoutMs }));
  for (const hook of [...after, ...finishing]) {
    const failure = await failureOf([hook]);
    error ??= failure;
  }
  const durationMs = Math.round(performance.now() - begun);
  return { path, status: error ? 'failed' : 'passed', durationMs, error };
}

/** Tells of every test of a group that it did not run, and why. */
function fail(group: Group, above: readonly Group[], tell: Tell, error?: TestFailure): void {
  const chain = [...above, group];
  for (const entry of group.entries) {
    if (entry.kind === 'group') fail(entry, chain, tell, error);
    else {
      const status = error && !entry.skipped ? 'failed' : 'skipped';
      tell({ path: pathOf(chain, entry.name), status, durationMs: 0, error });
    }
  }
}

const pathOf = (chain: readonly Group[], name: string): string[] =>
  [...chain.map(group => group.name), name].filter(one => one !== '');

/** The first failure of what is done one after the other, each within its time. */
async function failureOf(hooks: readonly Hook[]): Promise<TestFailure | undefined> {
  for (const { body, timeoutMs } of hooks) {
    const { promise, reject } = Promise.withResolvers<never>();
    const late = () => reject(new Error(`not done within ${timeoutMs} ms`));
    const timer = setTimeout(late, timeoutMs);
    try {
      await Promise.race([body(), promise]);
    } catch (thrown) {
      return toFailure(thrown);
    } finally {
      clearTimeout(timer);
    }
  }
  return undefined;
}

/** What was thrown, as far as it can be told elsewhere. */
export function toFailure(thrown: unknown): TestFailure {
  if (!(thrown instanceof Error)) return { message: inspect(thrown), stack: '' };
  const { actual, expected } = thrown as { actual?: unknown; expected?: unknown };
  const compared =
    'actual' in thrown && 'expected' in thrown
      ? { actual: inspect(actual, { depth: 8 }), expected: inspect(expected, { depth: 8 }) }
      : {};
  return { message: thrown.message, stack: thrown.stack ?? '', ...compared };
}
