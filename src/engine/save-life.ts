import type { Saga } from '../../machines/saga.ts';
import type { Clock } from './clock.ts';
import type { Decision } from './decide.ts';
import type { EffectContext, Steps } from './step.ts';

/** Each attempt to give the guest its life back gets this long. */
const LIMIT_MS = 10_000;

/**
 * The engine is about to end with an error of its own: a journal that cannot be written, or a bug. The
 * operation stays open, and the next life goes on from its records; but the guest must not stand still
 * or frozen until then. Nothing is recorded, since nothing may be recordable; errors change nothing.
 */
export async function saveLife(
  { saga, steps }: { readonly saga: Saga; readonly steps: Steps },
  { context, meta }: Decision,
  { operation, clock }: { readonly operation: string; readonly clock: Clock },
): Promise<void> {
  if (meta.kind === 'outcome') return;
  const begun = saga.steps.slice(0, context.reached + 1);
  for (const { undo } of begun.toReversed()) {
    const step = undo?.liveness ? steps[undo.name] : undefined;
    if (!step || !undo) continue;
    const stop = new AbortController();
    const cancel = clock.after(LIMIT_MS, () => stop.abort());
    const effect: EffectContext = {
      key: `${operation}/last/${undo.name}`,
      operation,
      attempt: 0,
      again: true,
      signal: stop.signal,
      log() {},
      progress() {},
      results: context.results,
      failures: context.failures,
    };
    await step.act(step.input.parse(context.input), effect).catch(() => undefined);
    cancel();
  }
}
