import { createHash } from 'node:crypto';
import { canonical } from '../../engine/json.ts';
import { argvOf } from '../../tools/process.ts';
import type { Overlay } from '../port.ts';
import { machineOf } from './argv.ts';
import type { QemuLife } from './life.ts';
import { argvFor } from './start.ts';

/** SHA-256 of what the machine looks like to its guest: of the running one, else of the next start. */
export function deviceDigest(life: QemuLife, heads: readonly Overlay[]): string {
  const { monitor } = life;
  const process = monitor.process();
  const argv = process && argvOf(process.pid);
  return argv ? digestOf(argv) : nextDigest(life, heads);
}

/** The same of a start with the domain file as it is now. */
export function nextDigest(life: QemuLife, heads: readonly Overlay[]): string {
  return digestOf(argvFor(life, { heads, paused: false, incoming: false }));
}

/** Equal for two argument vectors that make the same machine. */
export function digestOf(argv: readonly string[]): string {
  return createHash('sha256')
    .update(canonical(machineOf(argv)))
    .digest('hex');
}
