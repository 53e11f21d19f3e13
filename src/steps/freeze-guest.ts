import { z } from 'zod';
import { StepError } from '../engine/step.ts';
import { alwaysAgain, type Host, hostStep } from './host.ts';
import { CreateInput } from './input.ts';

/** What the freeze came to: how many file systems are frozen, or why none. */
export const Frozen = z.object({ filesystems: z.number(), sent: z.boolean(), why: z.string() });

/**
 * Freeze the guest's file systems through its agent, as far as the user wants it. With `try`, a guest
 * that cannot be frozen is snapshotted all the same, and the snapshot says so.
 */
export const freezeGuest = ({ toolstack }: Host) =>
  hostStep({
    input: CreateInput,
    output: Frozen,
    probe: alwaysAgain,
    async act({ quiesce, runBefore, unfrozenWhy }, context) {
      const skip = (why: string) => ({ output: { filesystems: 0, sent: false, why } });
      if (quiesce === 'no') return skip(unfrozenWhy || 'no freeze was asked for');
      if (runBefore === 'paused') return skip('the domain was paused: its agent cannot answer');
      try {
        const answer = await toolstack.perform({ do: 'freeze' }, context);
        const { filesystems } = z.object({ filesystems: z.number() }).parse(answer);
        return { output: { filesystems, sent: true, why: '' } };
      } catch (error) {
        // Only a freeze that was never sent may be passed over; any other must be thawed.
        if (!(error instanceof StepError) || error.code !== 'no-agent') throw error;
        if (quiesce === 'require') throw notSent(error);
        return skip(error.message);
      }
    },
    preview({ quiesce, runBefore }) {
      return quiesce === 'no' || runBefore === 'paused' ? [] : toolstack.preview({ do: 'freeze' });
    },
  });

/** Nothing was sent, and nothing will be. */
const notSent = (cause: StepError): StepError =>
  new StepError('no-agent', cause.message, { cause, retryable: false });
