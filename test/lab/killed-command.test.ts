import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recover } from '../../src/operations/recover.ts';
import { launch } from './cases/command.ts';
import { counters, DOMAIN, type World, worldDown, worldUp } from './cases/harness.ts';
import { assertInvariants } from './cases/invariants.ts';
import { OVERLAY } from './cases/storages.ts';

let world: World;
beforeAll(async () => {
  world = await worldUp(OVERLAY);
});
afterAll(() => worldDown(world));

/** A fail point goes without the watchdog, which would recover before the test has looked. */
const command = (words: readonly string[], failpoint?: string) =>
  launch(world, words, failpoint ? { DOMSNAP_FAILPOINT: failpoint, DOMSNAP_WATCHDOG: 'off' } : {})
    .finished;

const names = () => world.session.catalog.snapshots(DOMAIN).map(({ name }) => name);
const stillOpen = () =>
  world.session.journal.operations({ subject: DOMAIN, status: ['open', 'needsAttention'] });

/** Killed at the place, recovered, and then the world is whole and one of the two. */
async function survives(args: readonly string[], place: string): Promise<string> {
  const killed = await command(args, place);
  expect(killed.signal, `${place}: ${killed.stderr}`).toBe('SIGKILL');
  const [report] = await recover(world.session, undefined);
  expect(stillOpen()).toEqual([]);
  await assertInvariants(world, { runState: 'running' });
  const { mem } = await counters(world);
  await new Promise(resolve => setTimeout(resolve, 300));
  expect((await counters(world)).mem, 'the guest counts on').toBeGreaterThan(mem);
  return report?.outcome ?? 'committed';
}

describe('a create that is killed ends in done or as before', () => {
  test.each([
    ['record:1', 'committed'],
    ['createOverlays:inside', 'committed'],
    ['pauseDomain:after', 'rolledBack'],
    ['snapshotDisks:inside', 'rolledBack'],
    ['snapshotDisks:after', 'rolledBack'],
    ['startCapture:after', 'rolledBack'],
    ['finishCapture:before', 'committed'],
    ['recordHeads:after', 'committed'],
    ['publish:after', 'committed'],
  ])('at %s: %s', async (place, expected) => {
    const name = `at-${place.replace(':', '-')}`;
    expect(await survives(['create', DOMAIN, name], place)).toBe(expected);
    expect(names().includes(name)).toBe(expected === 'committed');
    if (names().includes(name)) {
      expect((await command(['delete', DOMAIN, name])).code).toBe(0);
    }
  });
});

describe('a disk-only create that is killed leaves no guest frozen', () => {
  test.each([
    ['freezeGuest:inside', 'committed'],
    ['freezeGuest:after', 'committed'],
    ['thawGuest:before', 'committed'],
  ])('at %s: %s', async (place, expected) => {
    const name = `frozen-${place.replace(':', '-')}`;
    const args = ['create', DOMAIN, name, '--memory', 'none'];
    expect(await survives(args, place)).toBe(expected);
    expect((await command(['delete', DOMAIN, name])).code).toBe(0);
  });
});

describe('a revert and a delete that are killed go on', () => {
  test.each([
    ['prepareHeads:after'],
    ['stopDomain:after'],
    ['loadMemory:after'],
    ['unpauseDomain:after'],
    ['publish:before'],
  ])('a revert at %s', async place => {
    if (!names().includes('base')) await command(['create', DOMAIN, 'base']);
    expect(await survives(['revert', DOMAIN, 'base'], place)).toBe('committed');
  });

  test.each([
    ['mergeUp:after'],
    ['markDissolving:after'],
    ['pivotMerges:after'],
    ['trashImages:before'],
  ])('a delete at %s', async place => {
    const name = `doomed-${place.replace(':', '-')}`;
    expect((await command(['create', DOMAIN, name, '--memory', 'none'])).code).toBe(0);
    expect(await survives(['delete', DOMAIN, name], place)).toBe('committed');
    expect(names()).not.toContain(name);
  });
});

test('the next command on the domain takes up what was left, without being told', async () => {
  expect((await command(['create', DOMAIN, 'left'], 'snapshotDisks:after')).signal).toBe('SIGKILL');
  expect(stillOpen()).toHaveLength(1);
  const next = await command(['create', DOMAIN, 'next', '--memory', 'none']);
  expect(next.code, next.stderr).toBe(0);
  expect(names()).toContain('next');
  expect(names()).not.toContain('left');
  await assertInvariants(world, { runState: 'running' });
});
