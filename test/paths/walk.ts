import type { Saga } from '../../machines/saga.ts';
import { undoState } from '../../machines/saga.ts';
import type { Place } from './explore.ts';
import { firstOf } from './explore.ts';

/** Effects after whose beginning the guest may stand still, and those that let it run or end it. */
const STILL = new Set(['pauseDomain', 'convergeMemory', 'loadMemory']);
const LIFE = new Set(['unpauseDomain', 'abandonConvergence', 'stopDomain']);

/** Events that some states do not take. */
const REFUSABLE = new Set(['ABORT', 'INTERRUPTED']);

/** What has been seen on the way to a place. */
export interface Seen {
  readonly still: boolean;
  readonly frozen: boolean;
  readonly pivoted: boolean;
  /** An effect that would have given the guest its life back has failed, or is in doubt. */
  readonly lifeFailed: boolean;
  /** A compensation that is only tidiness has been entered. */
  readonly tidying: boolean;
  /** Steps that were begun and whose compensation has not ended well since. */
  readonly begun: readonly string[];
  /** Steps whose compensation has ended well, and that were not begun again. */
  readonly undone: readonly string[];
}

const NOTHING: Seen = {
  still: false,
  frozen: false,
  pivoted: false,
  lifeFailed: false,
  tidying: false,
  begun: [],
  undone: [],
};

/** A place with what was seen on the way there; `trail` is one such way, for people. */
export interface Visit {
  readonly place: Place;
  readonly seen: Seen;
  readonly from: Visit | undefined;
  readonly event: string;
}

/**
 * Visit every place with every history that the laws tell apart. This covers all paths, of any length,
 * where a list of simple paths would have to leave the retries out.
 */
export function* visits(saga: Saga, places: ReadonlyMap<string, Place>): Generator<Visit> {
  const first = firstOf(saga, places);
  const known = new Set<string>();
  const queue: Visit[] = [];
  const enqueue = (visit: Visit) => {
    const key = `${visit.place.key} ${JSON.stringify(visit.seen)}`;
    if (known.has(key)) return;
    known.add(key);
    queue.push(visit);
  };
  enqueue({ place: first, seen: entered(saga, NOTHING, first), from: undefined, event: 'start' });
  for (let visit = queue.pop(); visit; visit = queue.pop()) {
    yield visit;
    for (const { event, to } of visit.place.moves) {
      const place = places.get(to);
      if (!place) throw new Error(`${saga.id}: ${to} was not explored`);
      if (place.key === visit.place.key && REFUSABLE.has(event)) continue;
      const seen = entered(saga, left(saga, visit, event), place);
      enqueue({ place, seen, from: visit, event });
    }
  }
}

/** One way to a visit: its states and events. */
export function trail(visit: Visit): string {
  const before = visit.from ? `${trail(visit.from)} ` : '';
  return `${before}-${visit.event}-> ${visit.place.state}`;
}

function left(saga: Saga, { place, seen }: Visit, event: string): Seen {
  const { meta, state } = place;
  if (event === 'RECOVER') return { ...seen, lifeFailed: false, tidying: false };
  const isLife = LIFE.has(meta.step) || meta.step === 'thawGuest';
  if (event !== 'done') return isLife ? { ...seen, lifeFailed: true } : seen;
  const undone = saga.steps.find(step => undoState(step.name) === state)?.name;
  return {
    ...seen,
    still: LIFE.has(meta.step) ? false : seen.still,
    frozen: meta.step === 'thawGuest' ? false : seen.frozen,
    pivoted: seen.pivoted || meta.pivot,
    begun: seen.begun.filter(name => name !== undone),
    undone: undone ? [...new Set([...seen.undone, undone])].sort() : seen.undone,
  };
}

function entered(saga: Saga, seen: Seen, { meta, state }: Place): Seen {
  if (meta.kind === 'outcome') return seen;
  const step = meta.kind === 'forward' ? saga.steps.find(({ name }) => name === state) : undefined;
  const begins = step?.undo && !seen.begun.includes(step.name);
  return {
    ...seen,
    still: seen.still || (meta.kind === 'forward' && STILL.has(meta.step)),
    frozen: seen.frozen || (meta.kind === 'forward' && meta.step === 'freezeGuest'),
    tidying: seen.tidying || (meta.kind === 'undo' && !meta.liveness),
    begun: begins ? [...seen.begun, step.name].sort() : seen.begun,
    undone: seen.undone.filter(name => name !== step?.name),
  };
}
