import { z } from 'zod';
import { StepError } from '../engine/step.ts';
import { alwaysAgain, type Host, hostStep } from './host.ts';
import { CaseInput } from './input.ts';
import { standsStill } from './pause-domain.ts';

/**
 * Let the guest run again, or leave it paused where its user had it so. As a compensation it must
 * bear a domain that died meanwhile: there is nothing to let run.
 */
export const unpauseDomain = ({ toolstack }: Host) =>
  hostStep({
    input: CaseInput,
    output: z.object({ runState: z.string() }),
    probe: alwaysAgain,
    async act({ runAfter, operation }, context) {
      const state = await toolstack.runState(context);
      if (state === 'off') {
        if (operation !== 'revert') return { output: { runState: 'off' } };
        throw new StepError('off', 'the domain should run, but it is off');
      }
      // Saving memory in the background lets the guest run by itself, also one that was paused.
      const wanted = runAfter === 'paused' ? 'pause' : 'resume';
      if (state !== runAfter) await toolstack.perform({ do: wanted }, context);
      return { output: { runState: runAfter } };
    },
    preview(input) {
      if (!standsStill(input)) return [];
      return toolstack.preview({ do: input.runAfter === 'paused' ? 'pause' : 'resume' });
    },
  });
