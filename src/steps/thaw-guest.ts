import { z } from 'zod';
import { Frozen } from './freeze-guest.ts';
import { alwaysAgain, type Host, hostStep } from './host.ts';
import { CreateInput } from './input.ts';

/** How many file systems were thawed, and whether the freeze had held until then. */
export const Thawed = z.object({ filesystems: z.number(), held: z.boolean() });

/**
 * Thaw the guest. Forward and as a compensation: then it may be that nothing was ever frozen.
 * Fewer thawed than frozen means that the guest had thawed by itself, so the freeze did not hold.
 */
export const thawGuest = ({ toolstack }: Host) =>
  hostStep({
    input: CreateInput,
    output: Thawed,
    probe: alwaysAgain,
    async act({ quiesce, runBefore }, context) {
      const frozen = Frozen.safeParse(context.results.freezeGuest).data;
      // An agent that did not answer was never told to freeze, nor was one whose turn never came.
      const unsent = context.failures.some(
        ({ step, code, begun }) =>
          step === 'freezeGuest' && (code === 'no-agent' || begun === false),
      );
      const never = unsent || quiesce === 'no' || runBefore === 'paused' || frozen?.sent === false;
      if (never) return { output: { filesystems: 0, held: false } };
      // A guest that died is not frozen any more.
      if ((await toolstack.runState(context)) === 'off') {
        return { output: { filesystems: 0, held: false } };
      }
      const answer = await toolstack.perform({ do: 'thaw' }, context);
      const { filesystems } = z.object({ filesystems: z.number() }).parse(answer);
      return { output: { filesystems, held: filesystems >= (frozen?.filesystems ?? 1) } };
    },
    preview({ quiesce, runBefore }) {
      return quiesce === 'no' || runBefore === 'paused' ? [] : toolstack.preview({ do: 'thaw' });
    },
  });
