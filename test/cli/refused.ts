import { expect } from 'vitest';
import type { Place } from './domsnap.ts';

/** Run it: refused with 3, nothing touched, `says` on stderr. */
export async function refused(
  here: Place,
  args: readonly string[],
  ...says: string[]
): Promise<void> {
  const before = here.fingerprint();
  const { exit, stdout, stderr } = await here.run(args);
  expect({ exit, stdout }, stderr).toEqual({ exit: 3, stdout: '' });
  for (const text of [...says, 'Nothing was touched']) expect(stderr).toContain(text);
  expect(here.fingerprint()).toBe(before);
}
