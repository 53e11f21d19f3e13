import { z } from 'zod';
import { alwaysAgain, type Host, hostStep } from './host.ts';
import { CaseInput } from './input.ts';
import { standsStill } from './pause-domain.ts';

const LetRun = z.object({ runState: z.string() });

/**
 * Let the guest run again, or leave it paused where its user had it so. As a compensation it must
 * bear a domain that died meanwhile: there is nothing to let run.
 */
export const unpauseDomain = ({ toolstack }: Host) =>
  hostStep({
    input: CaseInput,
    output: LetRun,
    probe: alwaysAgain,
    async act({ runAfter }, context) {
      const state = await toolstack.runState(context);
      // Its saved memory is not loaded a second time: the guest may have run, and written, since.
      if (state === 'off') return { output: { runState: 'off' } };
      // Saving memory in the background lets the guest run by itself, also one that was paused; and
      // one that stands still behind a migration must be told so once more to lock its images again.
      if (runAfter === 'paused') await toolstack.perform({ do: 'pause' }, context);
      else if (state !== 'running') await toolstack.perform({ do: 'resume' }, context);
      return { output: { runState: runAfter } };
    },
    preview(input) {
      if (!standsStill(input)) return [];
      return toolstack.preview({ do: input.runAfter === 'paused' ? 'pause' : 'resume' });
    },
  });
