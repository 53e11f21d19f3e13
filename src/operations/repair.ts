import { REPAIRS } from '../../machines/index.ts';
import type { Domain } from '../catalog/model.ts';
import type { Finding, Repair } from '../doctor/finding.ts';
import type { Plan } from '../plan/plan.ts';
import type { RepairInput } from '../steps/input.ts';
import type { DomainView } from '../toolstacks/port.ts';
import type { Session } from './session.ts';

/** A repair as an operation: its machine, and what it is to do. A recovery is one that there is already. */
export function repairPlan(
  { clock }: Pick<Session, 'clock'>,
  { name: domain }: Domain,
  { code, what, meaning, repair }: Finding,
  view: Pick<DomainView, 'runState'>,
): Plan | undefined {
  if (!repair || repair.kind === 'recover') return undefined;
  const saga = REPAIRS.get(`repair.${repair.kind}`);
  if (!saga) throw new Error(`no machine for the repair ${repair.kind}`);
  const { runState } = view;
  const now = runState === 'other' ? 'running' : runState;
  const input: RepairInput = {
    operation: 'repair',
    domain,
    name: code,
    at: clock.now(),
    runBefore: now,
    runAfter: repair.kind === 'resume' ? 'running' : now,
    ...wantedBy(repair),
  };
  return {
    operation: clock.newId(),
    saga,
    input,
    deadlines: {},
    refusals: [],
    notes: [{ what, why: meaning }],
    bytesToMove: 0,
    space: [],
    conditions: { operation: 'repair' },
  };
}

function wantedBy(repair: Repair): Pick<RepairInput, 'jobs' | 'heads' | 'orphans'> {
  const nothing = { jobs: [], heads: [], orphans: [] };
  switch (repair.kind) {
    case 'jobs':
      return { ...nothing, jobs: [...repair.jobs] };
    case 'heads':
      return { ...nothing, heads: [...repair.heads] };
    case 'orphans':
      return { ...nothing, orphans: [...repair.paths] };
    default:
      return nothing;
  }
}
