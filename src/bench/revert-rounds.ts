import { setTimeout as sleep } from 'node:timers/promises';
import { runRequest } from '../operations/run-request.ts';
import { CONTENDERS, orderOf } from './contest.ts';
import { revertErrand } from './create-cases.ts';
import { type Guest, swept, trashEmptied } from './domsnap-guest.ts';
import { DOMAIN } from './lab-guest.ts';
import { lastCase, type Match, newMatch } from './rounds.ts';

/** A case of revert: what the snapshot holds, and whether the domain runs. */
export interface RevertCase {
  readonly id: string;
  readonly live: boolean;
  readonly memory: 'live' | 'none';
  readonly disks: 'external' | 'internal';
}

const revert = (
  live: boolean,
  memory: RevertCase['memory'],
  disks: RevertCase['disks'],
): RevertCase => {
  const what = memory === 'live' ? 'memory' : 'disk-only';
  return { id: `revert.${live ? 'live' : 'offline'}.${what}.${disks}`, live, memory, disks };
};

/**
 * The cases of revert that are measured. With memory the guest goes on where it was; without, it boots,
 * and its memory is not filled any more: so these come last. A domain that is off and reverted to a
 * checkpoint runs afterwards: that is the live case without its `stop`.
 */
export const REVERT_CASES: readonly RevertCase[] = [
  revert(false, 'none', 'external'),
  revert(false, 'none', 'internal'),
  revert(true, 'live', 'external'),
  revert(true, 'live', 'internal'),
  revert(true, 'none', 'external'),
  revert(true, 'none', 'internal'),
];

const GOAL = 'goal';
/** A guest writes to its disks at once; the next revert finds something to leave behind. */
const WRITE_MS = 500;

/** Revert to one snapshot again and again, in turns; what each leaves behind is deleted. */
export async function revertRounds(
  guest: Guest,
  { id, memory, disks }: RevertCase,
  rounds: number,
): Promise<Match> {
  const { session } = guest;
  const match = newMatch(id);
  const create = { operation: 'create', domain: DOMAIN, name: GOAL, memory, disks } as const;
  await expectCommitted(runRequest(session, create));
  const errand = revertErrand(GOAL);
  for (let round = 0; round <= rounds; round += 1) {
    for (const who of orderOf(round)) {
      await sleep(WRITE_MS);
      const sample = await CONTENDERS[who](guest, null, errand);
      if (who !== 'floor') expectCase(guest, id);
      if (round > 0) match[who].push(sample);
      await dropAbandoned(guest);
    }
  }
  await swept(guest);
  return match;
}

/** Delete what reverts have left behind. */
async function dropAbandoned({ session, lab }: Guest): Promise<void> {
  for (const { name, kind } of session.catalog.snapshots(DOMAIN)) {
    if (kind !== 'abandoned') continue;
    await expectCommitted(runRequest(session, { operation: 'delete', domain: DOMAIN, name }));
  }
  await trashEmptied(lab);
}

async function expectCommitted(running: ReturnType<typeof runRequest>): Promise<void> {
  const { outcome, caseId, failures } = await running;
  if (outcome !== 'committed') throw new Error(`${caseId}: ${JSON.stringify(failures)}`);
}

function expectCase(guest: Guest, id: string): void {
  const found = lastCase(guest);
  if (found !== id) throw new Error(`${id} was to be measured, but ${found} was run`);
}
