import { z } from 'zod';
import { findMachine } from '../../machines/index.ts';
import { type Saga, saga } from '../../machines/saga.ts';
import { defineStep } from '../../src/engine/step.ts';
import { hostSteps } from '../../src/steps/index.ts';
import type { MakeSteps } from './drive.ts';

const NEWS = 'lookTwice';
const later = new Map<Saga, Saga>();

/** The case as an imagined next release has it: a version on, and a step more at its beginning. */
export function nextRelease(now: Saga): Saga {
  const known = later.get(now);
  if (known) return known;
  const { id, title, story, steps, version } = now;
  const news = { name: NEWS, says: 'look once more', deadlineMs: 10_000 };
  const made = saga({ id, title, story, version: version + 1, steps: [news, ...steps] });
  later.set(now, made);
  return made;
}

/** The machine that goes on with an operation: of the next release, or the one that it keeps beside it. */
export const afterUpgrade = (now: Saga, version: number): Saga =>
  findMachine([nextRelease(now), now], now.id, version);

/** The steps of both releases. */
export const stepsOfBoth: MakeSteps = host => ({
  ...hostSteps(host),
  [NEWS]: defineStep({
    input: z.unknown(),
    output: z.unknown(),
    probe: async () => ({ state: 'absent' as const }),
    async act(_input, context) {
      await host.toolstack.inspect(context);
      return { output: {} };
    },
  }),
});
