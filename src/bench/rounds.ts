import { CONTENDERS, orderOf, type Sample, type Who } from './contest.ts';
import { type CreateCase, createErrand, deleteErrand } from './create-cases.ts';
import { banBackground, type Guest, trashEmptied } from './domsnap-guest.ts';
import { DOMAIN } from './lab-guest.ts';
import type { Stillness } from './stillness.ts';

/** What two contenders took for the same, in the order of the rounds. */
export interface Match extends Readonly<Record<Who, Sample[]>> {
  readonly caseId: string;
}

/** A match that has not begun. */
export const newMatch = (caseId: string): Match => ({
  caseId,
  domsnap: [],
  library: [],
  floor: [],
});

/** The rounds of one case of create, and of the delete of what it made. */
export interface CreateRounds {
  readonly create: Match;
  readonly remove: Match;
}

/**
 * In each round everyone creates, and the next one deletes what was made: so all find the domain with
 * the same chain of images, and nobody the files that he has just written himself.
 * `between` is run once a round, for a third one.
 */
export async function createRounds(
  guest: Guest,
  watch: Stillness | null,
  one: CreateCase,
  rounds: number,
  between: (counts: boolean) => Promise<void> = async () => {},
): Promise<CreateRounds> {
  if (one.live) banBackground(guest, one.withoutBackground);
  const create = newMatch(one.id);
  const remove = newMatch('');
  let removeId = '';
  // The first round only warms up, as every later one finds the host.
  for (let round = 0; round <= rounds; round += 1) {
    const counts = round > 0;
    const order = orderOf(round);
    for (const [index, first] of order.entries()) {
      const second = order[(index + 1) % order.length] as Who;
      const name = `${first}-${round}`;
      const made = await CONTENDERS[first](guest, watch, createErrand(one, name));
      if (first !== 'floor') expectCase(guest, one.id);
      const gone = await CONTENDERS[second](guest, watch, deleteErrand(name));
      if (second !== 'floor') removeId = lastCase(guest);
      if (counts) {
        create[first].push(made);
        remove[second].push(gone);
      }
      await trashEmptied(guest.lab);
    }
    await between(counts);
  }
  if (one.live) banBackground(guest, false);
  return { create, remove: { ...remove, caseId: removeId } };
}

/** The case of the operation that ran last. */
export function lastCase({ session }: Guest): string {
  const [last] = session.journal.operations({ subject: DOMAIN, limit: 1 });
  return last?.caseId ?? '';
}

function expectCase(guest: Guest, id: string): void {
  const found = lastCase(guest);
  if (found !== id) throw new Error(`${id} was to be measured, but ${found} was run`);
}
