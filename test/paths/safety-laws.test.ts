import { describe, expect, test } from 'vitest';
import { MACHINES } from '../../machines/index.ts';
import { deadlineOf, OUTCOMES, type Saga, undoState } from '../../machines/saga.ts';
import { VOCABULARY } from '../../machines/vocabulary.ts';
import { ENDS, type Place, placesOf } from './explore.ts';
import { trail, type Visit, visits } from './walk.ts';

const explored = new Map<string, ReadonlyMap<string, Place>>();
function placesIn(saga: Saga): ReadonlyMap<string, Place> {
  const places = explored.get(saga.id) ?? placesOf(saga);
  explored.set(saga.id, places);
  return places;
}

/** Ways on which a law is broken; some are enough to understand it. */
function broken(saga: Saga, breaks: (visit: Visit) => boolean): string[] {
  const found: string[] = [];
  for (const visit of visits(saga, placesIn(saga))) {
    if (breaks(visit)) found.push(trail(visit));
    if (found.length >= 3) break;
  }
  return found;
}

const isEnd = ({ place }: Visit) => place.state === 'committed' || place.state === 'rolledBack';

describe.each([...MACHINES.values()].map(saga => ({ id: saga.id, saga })))('$id', ({ saga }) => {
  test('names only effects of the vocabulary', () => {
    const names = saga.steps.flatMap(step =>
      step.undo ? [step.name, step.undo.name] : [step.name],
    );
    expect(names.filter(name => !Object.hasOwn(VOCABULARY, name))).toEqual([]);
  });

  test('comes to no other end than the three outcomes, and can reach them', () => {
    const states = new Set([...placesIn(saga).values()].map(({ state }) => state));
    for (const outcome of OUTCOMES) expect(states).toContain(outcome);
    const dead = [...placesIn(saga).values()].filter(({ moves }) => moves.length === 0);
    expect(new Set(dead.map(({ state }) => state))).toEqual(new Set(['committed', 'rolledBack']));
  });

  test('visits every state that it has', () => {
    const states = new Set([...placesIn(saga).values()].map(({ state }) => state));
    expect(Object.keys(saga.machine.states).filter(state => !states.has(state))).toEqual([]);
  });

  test('takes every end of an effect in every state: done, each kind of error, the deadline', () => {
    for (const { state, meta, moves, key } of placesIn(saga).values()) {
      if (meta.kind === 'outcome') continue;
      const taken = new Set(moves.filter(({ to }) => to !== key).map(({ event }) => event));
      for (const end of ENDS) expect(taken, state).toContain(end);
    }
  });

  test('can be called off in every state before the pivot, and in none behind it', () => {
    for (const { state, meta, moves, key } of placesIn(saga).values()) {
      const abort = moves.some(({ event, to }) => event === 'ABORT' && to !== key);
      expect(abort, state).toBe(meta.kind === 'forward' && !meta.committed);
    }
  });

  test('can be interrupted in every state of the window before the pivot’s success', () => {
    for (const { state, meta, moves, key } of placesIn(saga).values()) {
      const taken = moves.some(({ event, to }) => event === 'INTERRUPTED' && to !== key);
      expect(taken, state).toBe(meta.kind === 'forward' && meta.window && !meta.committed);
    }
  });

  test('can reach a good end from wherever it is, after a recovery at worst', () => {
    const places = placesIn(saga);
    const good = new Set(
      [...places.values()]
        .filter(({ state }) => state === 'committed' || state === 'rolledBack')
        .map(({ key }) => key),
    );
    for (let before = -1; before !== good.size; ) {
      before = good.size;
      for (const { key, moves } of places.values()) {
        if (moves.some(({ to }) => good.has(to))) good.add(key);
      }
    }
    expect([...places.keys()].filter(key => !good.has(key))).toEqual([]);
  });

  test('gives every effect a deadline that resolves to a time', () => {
    for (const [state, node] of Object.entries(saga.machine.states)) {
      if (node.meta.kind === 'outcome') continue;
      const delay = deadlineOf(node.meta.step);
      expect(
        node.after.map(({ delay: name }: { delay: unknown }) => name),
        state,
      ).toContain(delay);
      const resolve = saga.machine.implementations.delays[delay] as unknown as (
        scope: object,
      ) => number;
      expect(resolve({ context: { deadlines: {} } })).toBeGreaterThan(0);
      expect(resolve({ context: { deadlines: { [node.meta.step]: 7 } } })).toBe(7);
    }
  });

  test('starts an effect anew where a state leads to itself', () => {
    for (const [state, node] of Object.entries(saga.machine.states)) {
      for (const edges of node.transitions.values()) {
        for (const { target, reenter } of edges) {
          if (target?.includes(node)) expect(reenter, state).toBe(true);
        }
      }
    }
  });

  test('lets the guest run again on every way to a good end on which it may have stood still', () => {
    expect(broken(saga, visit => isEnd(visit) && visit.seen.still)).toEqual([]);
  });

  test('thaws the guest on every way to a good end on which it may have been frozen', () => {
    expect(broken(saga, visit => isEnd(visit) && visit.seen.frozen)).toEqual([]);
  });

  test('leaves a guest paused or frozen in needsAttention only where letting it run has failed', () => {
    // A domain that was off before has no guest that waits: before the pivot it may stay as loaded.
    const nobodyWaits = ({ pivoted }: Visit['seen']) => saga.id.includes('.offline.') && !pivoted;
    const stuck = ({ place, seen }: Visit) =>
      place.state === 'needsAttention' &&
      (seen.still || seen.frozen) &&
      !seen.lifeFailed &&
      !nobodyWaits(seen);
    expect(broken(saga, stuck)).toEqual([]);
  });

  test('takes nothing back behind the pivot', () => {
    const takesBack = ({ place, seen }: Visit) =>
      seen.pivoted && place.meta.kind === 'undo' && !place.meta.liveness;
    expect(broken(saga, takesBack)).toEqual([]);
  });

  test('never comes to rolledBack behind the pivot, nor to committed before it', () => {
    const wrong = ({ place, seen }: Visit) =>
      (place.state === 'rolledBack' && seen.pivoted) ||
      (place.state === 'committed' && !seen.pivoted && saga.steps.some(({ pivot }) => pivot));
    expect(broken(saga, wrong)).toEqual([]);
  });

  test('saves the guest’s life before it tidies up', () => {
    const late = ({ place, seen }: Visit) =>
      place.meta.liveness && seen.tidying && !place.context.hold;
    expect(broken(saga, late)).toEqual([]);
  });

  test('sees to the guest’s life once more where tidying up has failed for good', () => {
    const left = ({ place, from, event }: Visit) =>
      place.state === 'needsAttention' &&
      event !== 'done' &&
      from?.place.meta.kind === 'undo' &&
      !from.place.meta.liveness &&
      saga.steps.some(({ undo }, index) => undo?.liveness && index <= from.place.context.reached);
    expect(broken(saga, left)).toEqual([]);
  });

  test('has taken back everything that was begun when it says rolledBack', () => {
    const left = ({ place, seen }: Visit) => place.state === 'rolledBack' && seen.begun.length > 0;
    expect(broken(saga, left)).toEqual([]);
  });

  test('tidies nothing up while an effect is in doubt', () => {
    const guesses = ({ place }: Visit) =>
      place.context.hold && place.meta.kind === 'undo' && !place.meta.liveness;
    expect(broken(saga, guesses)).toEqual([]);
  });

  test('tidies nothing up whose undoing has failed: what it would remove may be needed for it', () => {
    const destroys = (visit: Visit) => {
      const { place, from, event } = visit;
      const failed =
        from?.place.meta.kind === 'undo' && !from.place.meta.liveness && event !== 'done';
      const next = place.meta.kind === 'undo' && place.state !== from?.place.state;
      return failed === true && next && !place.meta.liveness;
    };
    expect(broken(saga, destroys)).toEqual([]);
  });

  test('takes nothing back twice, not even after a recovery', () => {
    const twice = ({ place, seen }: Visit) =>
      place.meta.kind === 'undo' &&
      !place.meta.liveness &&
      seen.undone.some(name => undoState(name) === place.state);
    expect(broken(saga, twice)).toEqual([]);
  });

  test('takes compensations back in the reverse order of their steps', () => {
    const order = saga.steps.map(({ name }) => undoState(name));
    const wrong = ({ place, from, event }: Visit) =>
      event === 'done' &&
      from?.place.meta.kind === 'undo' &&
      place.meta.kind === 'undo' &&
      from.place.meta.liveness === place.meta.liveness &&
      order.indexOf(from.place.state) <= order.indexOf(place.state);
    expect(broken(saga, wrong)).toEqual([]);
  });
});
