import { expect, test } from 'vitest';
import { RefusedError } from '../../src/plan/refusal.ts';
import { create, diskOnly, external, fills, internal, remove } from '../sim/chapters.ts';
import { prepare, type Scenario } from '../sim/stage.ts';

const history: Scenario['history'] = [
  'boot',
  fills,
  create('s1', { ...diskOnly, ...external }),
  'run',
  create('s2', { ...diskOnly, ...internal }),
  'run',
];
const request = (name: string, more: object = {}): Scenario => ({
  name: 'an internal snapshot in an overlay',
  history,
  request: remove(name, more),
});

// Found by seeds 5 and 19 of the random schedules: streaming into an overlay, and qemu-img rebase too, copy
// what the present disk needs, and then an internal snapshot in that overlay reads zeros for the rest.
test('the base that an internal snapshot in an overlay reads through to is not taken from under it', async () => {
  const refused = await prepare(request('s1')).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(RefusedError);
  const { refusals } = refused as RefusedError;
  expect(refusals).toMatchObject([
    { code: 'read-through', hint: expect.stringContaining("'domsnap delete guest s2'") },
    { code: 'read-through' },
  ]);
  expect(refusals[0]?.message).toMatch(/^vda: internal snapshots in .* \(s2\) read through/);
});

// Found by seed 5482: rolled back behind the merge, the delete had lost what the other victim held.
test('that goes with its base goes down into it behind the pivot, never up before it', async () => {
  const { input } = await prepare(request('s1', { extent: 'children' }));
  expect(input).toMatchObject({ operation: 'delete', mergesUp: [], victims: ['s1', 's2'] });
  if (input.operation === 'delete')
    expect(input.mergesDown.map(({ device }) => device)).toEqual(['vda', 'vdb']);
});
