import { describe } from 'vitest';
import type { Volume } from '../../src/catalog/model.ts';
import type { Capture, Overlay, Toolstack } from '../../src/toolstacks/port.ts';
import { captureTests } from './conformance-captures.ts';
import { diskTests } from './conformance-disks.ts';
import { lifeTests } from './conformance-life.ts';
import { mergeTests } from './conformance-merges.ts';
import { callContext } from './context.ts';

/** A domain of two disks, that is off, and a way to do and to see what a toolstack does not. */
export interface ToolstackWorld {
  /** The heads at the beginning: `vda`, a qcow2 image, and `vdb`, a raw one. */
  readonly heads: readonly [Overlay, Overlay];
  /** The toolstack as a new life of domsnap makes it: it remembers nothing. */
  toolstack(): Toolstack;
  /** Where a new image or memory file may be. */
  path(name: string): string;
  createOverlay(overlay: Volume, base: Volume): Promise<void>;
  /** An empty file for memory. */
  createFile(path: string): Promise<void>;
  /** The running domain's guest writes one block of a disk, and flushes. */
  write(device: string, block: number, byte: number): Promise<void>;
  /** What an image shows at a block, all its bases counted. */
  readImage(volume: Volume, block: number): Promise<number>;
  /** Whether another process may open the image to write it. */
  isFree(volume: Volume): Promise<boolean>;
  /** A digest of the memory of the guest, which stands still. */
  memoryDigest(): Promise<string>;
  /** Ends the domain as a crash does. */
  kill(): Promise<void>;
}

/** What a test file says of the world that it makes. */
export interface WorldOptions {
  readonly captures: readonly Capture[];
}

/** How a world is made for one test; it goes with the test. */
export type MakeWorld = () => Promise<ToolstackWorld>;

/**
 * What every toolstack holds to, the simulated one too: each deed does what the port says, bears being
 * done twice, and being taken up by a life that knows nothing of the one before.
 */
export function toolstackConformance(
  name: string,
  makeWorld: MakeWorld,
  options: WorldOptions,
): void {
  describe(`${name}: a domain's life`, () => lifeTests(makeWorld));
  describe(`${name}: disks`, () => diskTests(makeWorld));
  describe(`${name}: memory`, () => captureTests(makeWorld, options.captures));
  describe(`${name}: merges`, () => mergeTests(makeWorld));
}

/** Starts the domain on its first heads, running. */
export async function started(world: ToolstackWorld, toolstack: Toolstack): Promise<void> {
  await toolstack.perform({ do: 'start', heads: world.heads, paused: false }, callContext());
}

/** New overlays over the given heads, made and not yet opened. */
export async function overlaysOver(
  world: ToolstackWorld,
  heads: readonly Overlay[],
  label: string,
): Promise<Overlay[]> {
  const overlays = heads.map(({ device }) => ({
    device,
    volume: { path: world.path(`${device}-${label}.qcow2`), format: 'qcow2' },
  }));
  for (const [index, { volume }] of overlays.entries()) {
    await world.createOverlay(volume, heads[index]!.volume);
  }
  return overlays;
}
