import { advance, begin } from '../engine/decide.ts';
import type { HostStep } from '../steps/host.ts';
import type { Command } from '../toolstacks/port.ts';
import type { Plan } from './plan.ts';

/** One step of a plan, as it would run if nothing goes wrong. */
export interface PlannedStep {
  readonly step: string;
  readonly says: string;
  /** The guest may stand still in it. */
  readonly window: boolean;
  /** Behind it there is only forward. */
  readonly pivot: boolean;
  readonly deadlineMs: number;
  readonly commands: readonly Command[];
  /** It is there for other disks or other ways: in this plan it has no command to give. */
  readonly idle: boolean;
}

/** Walk the real machine along its good way, and ask each step for its commands. */
export function previewSteps(
  { saga, input, deadlines }: Pick<Plan, 'saga' | 'input' | 'deadlines'>,
  steps: Readonly<Record<string, HostStep>>,
): PlannedStep[] {
  const who = { uid: 0, login: '', host: '', pid: 0 };
  let decision = begin(saga.machine, { type: 'started', input, deadlines, who });
  const planned: PlannedStep[] = [];
  for (let [wanted] = decision.wanted; wanted; [wanted] = decision.wanted) {
    const { says, window, pivot } = decision.meta;
    const { deadlineMs } = decision;
    const commands = steps[wanted.step]?.preview(input) ?? null;
    const idle = commands?.length === 0;
    planned.push({
      ...{ step: wanted.step, says, window, pivot, deadlineMs },
      ...{ commands: commands ?? [], idle },
    });
    decision = advance(saga.machine, decision, { type: 'done', effect: wanted.id, output: {} });
  }
  return planned;
}
