import { z } from 'zod';
import { alwaysAgain, type Host, hostStep } from './host.ts';
import { CaseInput } from './input.ts';
import { standsStill } from './pause-domain.ts';

const LetRun = z.object({ runState: z.string() });
const Resumed = z.object({ status: z.string() });

/**
 * Let the guest run again, or leave it paused where its user had it so. As a compensation it must
 * bear a domain that died meanwhile: there is nothing to let run.
 */
export const unpauseDomain = ({ toolstack }: Host) =>
  hostStep({
    input: CaseInput,
    output: LetRun,
    probe: alwaysAgain,
    async act(input, context) {
      const { runAfter } = input;
      if (!standsStill(input)) return { output: { runState: runAfter } };
      // The guest waits for this one: nothing else is asked first.
      if (runAfter !== 'paused') {
        const { status } = Resumed.parse(await toolstack.perform({ do: 'resume' }, context));
        // Its saved memory is not loaded a second time: the guest may have run, and written, since.
        return { output: { runState: status === 'off' ? 'off' : runAfter } };
      }
      if ((await toolstack.runState(context)) === 'off') return { output: { runState: 'off' } };
      // Saving memory in the background lets the guest run by itself, also one that was paused; and
      // one that stands still behind a migration must be told so once more to lock its images again.
      await toolstack.perform({ do: 'pause' }, context);
      return { output: { runState: runAfter } };
    },
    preview(input) {
      if (!standsStill(input)) return [];
      return toolstack.preview({ do: input.runAfter === 'paused' ? 'pause' : 'resume' });
    },
  });
