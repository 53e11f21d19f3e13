/** When to give up: after a time, on the caller's signal, or whichever comes first. */
export type Limits = {
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
};

// setTimeout takes a signed 32-bit number of milliseconds and fires at once beyond it.
const longestTimerMs = 2 ** 31 - 1;

/**
 * Calls `giveUp` once, when the deadline (milliseconds from now) has passed or the signal aborts.
 * Returns a function that disarms both. A signal that is aborted already fires in a microtask.
 */
export function armDeadline(
  limits: Limits,
  giveUp: (why: 'timeout' | 'aborted') => void,
): () => void {
  let armed = true;
  const fire = (why: 'timeout' | 'aborted') => {
    if (!armed) return;
    disarm();
    giveUp(why);
  };
  const onAbort = () => fire('aborted');
  const timer =
    limits.deadlineMs === undefined
      ? undefined
      : setTimeout(fire, Math.min(Math.max(limits.deadlineMs, 0), longestTimerMs), 'timeout');
  const disarm = () => {
    armed = false;
    clearTimeout(timer);
    limits.signal?.removeEventListener('abort', onAbort);
  };
  if (limits.signal?.aborted) queueMicrotask(onAbort);
  else limits.signal?.addEventListener('abort', onAbort, { once: true });
  return disarm;
}
