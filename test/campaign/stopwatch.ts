/** The parts of a round, by what takes their time. */
export const PARTS = ['stage', 'command', 'recovery', 'judgement'] as const;
export type Laps = Readonly<Record<(typeof PARTS)[number], number>>;

/** Measures the parts of a round, one after the other, in milliseconds. */
export class Stopwatch {
  #sinceMs = performance.now();
  readonly laps = { stage: 0, command: 0, recovery: 0, judgement: 0 };

  /** All since the last lap was this part's. */
  lap(part: keyof Laps): void {
    const nowMs = performance.now();
    this.laps[part] += nowMs - this.#sinceMs;
    this.#sinceMs = nowMs;
  }
}
