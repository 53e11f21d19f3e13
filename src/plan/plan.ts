import { caseOf } from '../../machines/case-of.ts';
import type { Saga } from '../../machines/saga.ts';
import type { HostStep } from '../steps/host.ts';
import type { CaseInput } from '../steps/input.ts';
import { draftCreate } from './create.ts';
import { draftDelete } from './delete.ts';
import type { Draft, Note, SpaceNeed } from './draft.ts';
import { type PlannedStep, previewSteps } from './preview.ts';
import { type Refusal, RefusedError } from './refusal.ts';
import type { Request } from './request.ts';
import { draftRevert } from './revert.ts';
import type { Survey } from './survey.ts';

/** A decided operation: what would run, or why it will not. */
export interface Plan {
  readonly operation: string;
  readonly saga: Saga;
  readonly input: CaseInput;
  readonly deadlines: Readonly<Record<string, number>>;
  /** Empty for a plan that may run. */
  readonly refusals: readonly Refusal[];
  readonly notes: readonly Note[];
  readonly bytesToMove: number;
  readonly space: readonly SpaceNeed[];
  readonly conditions: Draft['conditions'] | { readonly operation: 'repair' | 'gc' };
}

/**
 * Decide how a request is carried out in the world that a survey found. Pure.
 * Throws RefusedError where there is no case at all; other refusals are in the plan.
 */
export function planOf(request: Request, facts: Survey): Plan {
  const draft = draftOf(request, facts);
  const found = caseOf(draft.conditions);
  if ('refusal' in found) {
    const { domain } = facts;
    throw new RefusedError([
      ...draft.refusals,
      {
        code: 'no-case',
        message: `${request.operation} of ${domain.name}: ${found.refusal}`,
        hint: `'domsnap cases' lists what there is`,
      },
    ]);
  }
  const { input, deadlines, refusals, notes, bytesToMove, space, conditions } = draft;
  return {
    operation: facts.operation,
    saga: found.saga,
    input,
    deadlines,
    refusals: once(refusals),
    notes,
    bytesToMove,
    space,
    conditions,
  };
}

/** Several disks may give the same reason. */
function once(refusals: readonly Refusal[]): Refusal[] {
  return [...new Map(refusals.map(refusal => [refusal.message, refusal])).values()];
}

/** The steps of a plan in their order, with the commands that each would give. */
export function stepsOf(plan: Plan, steps: Readonly<Record<string, HostStep>>): PlannedStep[] {
  return previewSteps(plan, steps);
}

function draftOf(request: Request, facts: Survey): Draft {
  switch (request.operation) {
    case 'create':
      return draftCreate(request, facts);
    case 'revert':
      return draftRevert(request, facts);
    case 'delete':
      return draftDelete(request, facts);
  }
}
