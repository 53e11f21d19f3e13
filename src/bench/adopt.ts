import type { CatalogChange, Consistency } from '../catalog/model.ts';
import type { Json } from '../engine/json.ts';
import type { Session } from '../operations/session.ts';
import type { Plan } from '../plan/plan.ts';
import type { CreateInput } from '../steps/input.ts';
import { headsAfter } from '../steps/record-heads.ts';
import { draft } from '../steps/reserve.ts';
import type { FloorRun } from './floor.ts';

/** Tell the catalog what the floor has done, as domsnap would have: the next one builds on it. */
export function adopt(session: Session, plan: Plan, floor: FloorRun): void {
  const { catalog, journal } = session;
  const { domain: name } = plan.input;
  const heads = headsAfter(plan.input);
  const disks = (catalog.domain(name)?.disks ?? []).map(
    disk => heads.find(({ device }) => device === disk.device) ?? disk,
  );
  const changes: CatalogChange[] = [
    { catalog: 'heads', domain: name, disks },
    ...treeAfter(plan, floor),
  ];
  journal.note(() => {
    for (const change of changes) catalog.apply(change as Json);
  });
}

function treeAfter({ input, operation }: Plan, floor: FloorRun): CatalogChange[] {
  const { domain, name } = input;
  switch (input.operation) {
    case 'create':
      return [
        { catalog: 'snapshot', snapshot: made(input, operation, floor) },
        { catalog: 'current', domain, current: name },
      ];
    case 'revert':
      return [
        ...(input.abandoned
          ? [
              {
                catalog: 'snapshot' as const,
                snapshot: { ...input.abandoned, operation, state: 'usable' as const },
              },
            ]
          : []),
        { catalog: 'current', domain, current: name },
      ];
    case 'repair':
    case 'gc':
      return [];
    case 'delete':
      return [
        ...input.victims.map(victim => ({
          catalog: 'dropSnapshot' as const,
          domain,
          name: victim,
        })),
        ...input.remaining.map(snapshot => ({ catalog: 'snapshot' as const, snapshot })),
        { catalog: 'current', domain, current: input.current },
      ];
  }
}

function made(input: CreateInput, operation: string, { memory }: FloorRun) {
  const consistency: Consistency = memory ? 'memory' : 'crash-consistent';
  return {
    ...draft(input, operation),
    state: 'usable' as const,
    consistency,
    why: '',
    memory:
      input.memory && memory ? { ...input.memory, ...memory, runState: 'running' as const } : null,
  };
}
