import type { Domain } from '../catalog/model.ts';
import type { Finding, Repair } from '../doctor/finding.ts';
import type { Plan } from '../plan/plan.ts';
import type { RepairInput } from '../steps/input.ts';
import type { DomainView } from '../toolstacks/port.ts';
import type { Session } from './session.ts';
import { upkeepPlan } from './upkeep-plan.ts';

/** A repair as an operation: its machine, and what it is to do. A recovery is one that there is already. */
export function repairPlan(
  session: Pick<Session, 'clock'>,
  { name: domain }: Domain,
  { code, what, meaning, repair }: Finding,
  view: Pick<DomainView, 'runState'>,
): Plan | undefined {
  if (!repair || repair.kind === 'recover') return undefined;
  const { runState } = view;
  const now = runState === 'other' ? 'running' : runState;
  const input: RepairInput = {
    operation: 'repair',
    domain,
    name: code,
    at: session.clock.now(),
    runBefore: now,
    runAfter: repair.kind === 'resume' ? 'running' : now,
    ...wantedBy(repair),
  };
  return upkeepPlan(session, `repair.${repair.kind}`, input, [{ what, why: meaning }]);
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
