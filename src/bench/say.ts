const beganMs = performance.now();

/** Progress, on stderr: stdout is for the table. */
export function say(text: string): void {
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(0).padStart(5);
  process.stderr.write(`${seconds} s  ${text}\n`);
}

/** Nobody reads the calls of the bench's own tools. */
export const log = (): void => {};
