import { expect, test } from 'vitest';
import { EventJson, PlanJson } from '../../src/cli/schema.ts';
import { type Place, placeWithDomain } from './domsnap.ts';

/** The steps of a command that were done, by whether there was anything to do in them. */
async function stepsOf(here: Place, ...args: string[]) {
  const { stdout } = await here.run(['--json', ...args]);
  const ended = stdout
    .trimEnd()
    .split('\n')
    .slice(0, -1)
    .map(line => EventJson.parse(JSON.parse(line)))
    .flatMap(event => (event.event === 'step' && event.status === 'done' ? event : []));
  const names = (idle: boolean) => ended.flatMap(one => (one.idle === idle ? one.step : []));
  return { idle: names(true), done: names(false) };
}

test('a step without anything to do is told as such, not as work that was done', async () => {
  const here = await placeWithDomain();
  expect((await here.run(['domain', 'start', 'web1'])).exit).toBe(0);
  const live = await stepsOf(here, 'create', 'web1', 's1', '--memory', 'none', '--quiesce', 'no');
  expect(live.idle).toEqual(['freezeGuest', 'thawGuest']);
  expect(live.done).toContain('snapshotDisks');
  expect(live.done).toContain('publish');
  const unasked = await stepsOf(here, 'create', 'web1', 's2', '--memory', 'none');
  expect(unasked.idle).toEqual(['freezeGuest', 'thawGuest']);
  expect((await here.run(['domain', 'stop', 'web1'])).exit).toBe(0);

  const off = await stepsOf(here, 'create', 'web1', 's3');
  expect(off.idle).toEqual(['tagDisks']);
  expect(off.done).toEqual(expect.arrayContaining(['reserve', 'createOverlays', 'recordHeads']));
  const plan = PlanJson.parse(await here.json(['plan', 'revert', 'web1', 's1']));
  const reverted = await stepsOf(here, 'revert', 'web1', 's1');
  expect(reverted.idle).toContain('applyTags');
  expect(reverted.idle).toEqual(plan.steps.flatMap(({ step, idle }) => (idle ? step : [])));

  const { stderr } = await here.run(['delete', 'web1', 's2']);
  expect(stderr).toMatch(/– deleteTags .* nothing to do here/);
  expect(stderr).not.toMatch(/✔ deleteTags/);
  expect(stderr).toMatch(/✔ markDissolving/);
});
