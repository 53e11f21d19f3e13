import type { Process, World } from './world.ts';

/**
 * The guest: it counts in memory, and writes each count to all its disks, one after the other. At any
 * instant the disks that it has reached in this round show the count, and the others the one before:
 * so a snapshot whose parts are of different instants shows it.
 */
export interface GuestMemory {
  readonly counter: number;
  /** How many disks have got this count: where the program stands. */
  readonly written: number;
}

/** Block 0 of each disk holds the count. */
export const COUNT_BLOCK = 0;

/** A guest that boots goes on from the highest count that it finds, and the disks that have it already. */
export function booted(counts: readonly number[]): GuestMemory {
  const counter = Math.max(0, ...counts);
  const behind = counts.findIndex(count => count !== counter);
  return { counter, written: behind < 0 ? counts.length : behind };
}

/** Let the guest run for some of its steps; a step is one count, or one write to one disk. */
export function guestRuns(world: World, steps: number): void {
  for (let n = 0; n < steps; n += 1) {
    const { process } = world;
    if (process?.runState !== 'running' || world.guestIdle) return;
    guestStep(world, process);
  }
}

function guestStep(world: World, process: Process): void {
  const devices = [...process.heads.keys()];
  const { counter, written } = process.memory;
  const device = devices[written];
  if (device === undefined) {
    process.memory = { counter: counter + 1, written: 0 };
    return;
  }
  // A write to a frozen file system waits, and the program with it.
  if (process.frozen > 0) return;
  world.guestWrites(device, COUNT_BLOCK, counter);
  world.guestWrites(device, 1 + (counter % 5), counter * 10 + written);
  process.memory = { counter, written: written + 1 };
}
