/** Picks one of `n` ways, 0 to n - 1. */
export type Choose = (n: number) => number;

/**
 * Run `body` once for each way in which its choices can fall. Each run makes its choices in an order that
 * depends on those before alone. Answers the number of runs.
 */
export function everyRun(body: (choose: Choose) => void): number {
  const chosen: number[] = [];
  for (let runs = 1; ; runs += 1) {
    const limits: number[] = [];
    body(n => {
      const at = limits.push(n) - 1;
      chosen[at] ??= 0;
      return chosen[at];
    });
    chosen.length = limits.length;
    while (chosen.length > 0 && (chosen.at(-1) ?? 0) + 1 >= (limits[chosen.length - 1] ?? 0)) {
      chosen.pop();
    }
    if (chosen.length === 0) return runs;
    chosen.push((chosen.pop() ?? 0) + 1);
  }
}
