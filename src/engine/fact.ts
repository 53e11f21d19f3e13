import { z } from 'zod';

const effect = { effect: z.string() };
const who = z.object({
  uid: z.number(),
  login: z.string(),
  host: z.string(),
  pid: z.number(),
  reason: z.string().optional(),
});

/**
 * What happened to an operation, in the order in which it happened: the journal holds facts, and the
 * state of a machine is what they add up to.
 */
export const Fact = z.lazy(() =>
  z.discriminatedUnion('type', [
    z.object({
      type: z.literal('started'),
      input: z.unknown(),
      deadlines: z.record(z.string(), z.number()),
      who,
    }),
    z.object({ type: z.literal('done'), ...effect, output: z.unknown() }),
    z.object({
      type: z.literal('failed'),
      ...effect,
      error: z.object({ code: z.string(), message: z.string(), retryable: z.boolean() }),
    }),
    z.object({ type: z.literal('deadline'), ...effect }),
    /** `begun: false`: called off before the effect began. */
    z.object({ type: z.literal('abort'), reason: z.string(), begun: z.literal(false).optional() }),
    /** The engine died in the window, and the next life finds the guest standing still, or dead. */
    z.object({ type: z.literal('interrupted') }),
    z.object({ type: z.literal('recover'), who }),
  ]),
);
export type Fact = z.infer<typeof Fact>;

/** Who asked for an operation, for the audit. */
export type Who = z.infer<typeof who>;
