import { StepError } from '../../engine/step.ts';
import type { Life } from './life.ts';

const RAREST_MS = 250;

/**
 * Asks again whenever the domain tells that something has happened, and ever more rarely without that,
 * until there is an answer. Throws StepError `aborted`, `timeout`.
 */
export async function until<T>(
  { clock, monitor }: Pick<Life, 'clock' | 'monitor'>,
  ask: () => Promise<T | undefined>,
  options: { signal: AbortSignal; withinMs?: number; firstMs?: number; what: string },
): Promise<T> {
  const { signal, withinMs = Number.POSITIVE_INFINITY, what } = options;
  const endsMs = clock.monotonicMs() + withinMs;
  for (let pauseMs = options.firstMs ?? 20; ; pauseMs = Math.min(pauseMs * 1.3, RAREST_MS)) {
    const news = monitor.news();
    const answer = await ask();
    if (answer !== undefined) return answer;
    checkAborted(signal, what);
    if (clock.monotonicMs() >= endsMs) {
      throw new StepError('timeout', `${what}: not within ${withinMs} ms`);
    }
    await news(pauseMs, signal);
  }
}

/** Throws StepError `aborted`. */
export function checkAborted(signal: AbortSignal, what: string): void {
  if (signal.aborted) throw new StepError('aborted', `${what}: called off`);
}
