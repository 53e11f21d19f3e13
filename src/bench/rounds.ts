import { byDomsnap, byFloor, type Sample } from './contest.ts';
import { type CreateCase, createErrand, deleteErrand } from './create-cases.ts';
import { banBackground, type Guest, trashEmptied } from './domsnap-guest.ts';
import { DOMAIN } from './lab-guest.ts';
import type { Stillness } from './stillness.ts';

/** What two contenders took for the same, in the order of the rounds. */
export interface Match {
  readonly caseId: string;
  readonly domsnap: Sample[];
  readonly floor: Sample[];
}

/** The rounds of one case of create, and of the delete of what it made. */
export interface CreateRounds {
  readonly create: Match;
  readonly remove: Match;
}

/**
 * Each round creates twice and deletes twice, and each contender deletes what the other made: so all
 * four find the domain with the same chain of images. Who goes first changes from round to round.
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
  const create: Match = { caseId: one.id, domsnap: [], floor: [] };
  let removeId = '';
  const remove: Omit<Match, 'caseId'> = { domsnap: [], floor: [] };
  // The first round only warms up, as every later one finds the host.
  for (let round = 0; round <= rounds; round += 1) {
    const counts = round > 0;
    const order =
      round % 2 === 0 ? (['domsnap', 'floor'] as const) : (['floor', 'domsnap'] as const);
    for (const first of order) {
      const second = first === 'domsnap' ? 'floor' : 'domsnap';
      const name = `${first}-${round}`;
      const made = await contender(first)(guest, watch, createErrand(one, name));
      if (first === 'domsnap') expectCase(guest, one.id);
      const gone = await contender(second)(guest, watch, deleteErrand(name));
      if (second === 'domsnap') removeId = lastCase(guest);
      if (counts) {
        create[first].push(made);
        remove[second].push(gone);
      }
      await trashEmptied(guest.lab);
    }
    await between(counts);
  }
  if (one.live) banBackground(guest, false);
  return { create, remove: { caseId: removeId, ...remove } };
}

const contender = (name: 'domsnap' | 'floor') => (name === 'domsnap' ? byDomsnap : byFloor);

/** The case of the operation that ran last. */
export function lastCase({ session }: Guest): string {
  const [last] = session.journal.operations({ subject: DOMAIN, limit: 1 });
  return last?.caseId ?? '';
}

function expectCase(guest: Guest, id: string): void {
  const found = lastCase(guest);
  if (found !== id) throw new Error(`${id} was to be measured, but ${found} was run`);
}
