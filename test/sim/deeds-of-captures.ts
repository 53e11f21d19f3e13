import type { Json } from '../../src/engine/json.ts';
import { StepError } from '../../src/engine/step.ts';
import type { CallContext, Capture } from '../../src/toolstacks/port.ts';
import { digestOf } from './image-store.ts';
import type { Life } from './life.ts';
import { running } from './sim-toolstack.ts';

interface Target {
  readonly capture: Capture;
  readonly path: string;
}

/** Moments that the parts of a capture take. */
const ROUNDS = 4;

/** Begin to save the memory. Traps as in QEMU: in the background, the guest runs again by itself. */
export async function beginCapture(
  life: Life,
  { capture: kind, path }: Target,
  context: CallContext,
): Promise<Json> {
  const process = running(life);
  if (process.capture?.path === path) return {};
  if (kind === 'precopy') {
    process.capture = { kind, path, memory: null, status: 'active', left: ROUNDS };
    await life.until('converge', context, () => running(life).capture?.left === 0);
    const converged = running(life);
    converged.runState = 'paused';
    if (converged.capture) converged.capture.memory = converged.memory;
    await life.moment('converge', context);
    return {};
  }
  if (process.runState !== 'paused') {
    throw new StepError('not-paused', 'the memory of a running guest has no instant');
  }
  process.capture = { kind, path, memory: process.memory, status: 'active', left: ROUNDS };
  await life.moment('beginCapture', context);
  if (kind === 'background') running(life).runState = 'running';
  await life.moment('beginCapture', context);
  return {};
}

/** Wait until the memory is saved. */
export async function finishCapture(
  life: Life,
  { path }: Target,
  context: CallContext,
): Promise<Json> {
  const { capture } = running(life);
  if (capture?.path !== path) {
    throw new StepError('no-capture', 'no memory is being saved', { retryable: false });
  }
  // Precopy waits at the switch-over, guest standing still, until it is told to go on.
  if (capture.status === 'active' && capture.left === 0) capture.left = ROUNDS;
  await life.until('finishCapture', context, () => {
    if (running(life).capture !== capture) throw new StepError('no-capture', 'called off');
    return capture.status === 'completed';
  });
  const file = life.world.store.files.get(path);
  if (file?.kind !== 'file') throw new StepError('missing', `${path} is not there`);
  return digestOf(file.text);
}

/** Call the saving off. What stood still for it goes on standing still. */
export async function cancelCapture(life: Life, context: CallContext): Promise<Json> {
  // A domain that has died has taken its capture with it.
  if (life.world.process) life.world.process.capture = null;
  await life.moment('cancelCapture', context);
  return {};
}
