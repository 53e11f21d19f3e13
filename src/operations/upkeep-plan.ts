import { REPAIRS } from '../../machines/index.ts';
import type { Note } from '../plan/draft.ts';
import type { Plan } from '../plan/plan.ts';
import type { GcInput, RepairInput } from '../steps/input.ts';
import type { Session } from './session.ts';

/** What is decided already, as an operation: it moves no data between images, and needs no room. */
export function upkeepPlan(
  { clock }: Pick<Session, 'clock'>,
  machine: string,
  input: GcInput | RepairInput,
  notes: readonly Note[] = [],
): Plan {
  const saga = REPAIRS.get(machine);
  if (!saga) throw new Error(`no machine ${machine}`);
  return {
    operation: clock.newId(),
    saga,
    input,
    deadlines: {},
    refusals: [],
    notes,
    bytesToMove: 0,
    space: [],
    conditions: { operation: input.operation },
  };
}
