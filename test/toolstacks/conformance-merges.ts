import { expect, test } from 'vitest';
import { StepError } from '../../src/engine/step.ts';
import type { DomainDeed, Overlay, Toolstack } from '../../src/toolstacks/port.ts';
import { type MakeWorld, overlaysOver, started, type ToolstackWorld } from './conformance.ts';
import { callContext, stepErrorOf } from './context.ts';

/** Block jobs, up and down. */
export function mergeTests(makeWorld: MakeWorld): void {
  test('merged up onto a base, the tops show the same, and the victims are untouched', async () => {
    const { world, toolstack, first, second } = await threeLayers(makeWorld);
    const merges = second.map(({ device, volume }, index) => ({
      job: `domsnap-up-${device}`,
      device,
      top: volume,
      base: world.heads[index]!.volume,
    }));
    await twice(world, toolstack, { do: 'mergeUp', merges });
    expect(await chainLengths(world)).toEqual([2, 2]);
    // What the job wrote must not be lost with the process that wrote it.
    await world.kill();
    await expectContent(world, second);
    expect(await world.readImage(first[0]!.volume, 1)).toBe(0x11);
    expect(await world.readImage(first[0]!.volume, 2)).toBe(0x12);
  });

  test('merged up onto nothing, the tops stand alone', async () => {
    const { world, toolstack, second } = await threeLayers(makeWorld);
    const merges = second.map(({ device, volume }) => ({
      job: `domsnap-up-${device}`,
      device,
      top: volume,
      base: null,
    }));
    await twice(world, toolstack, { do: 'mergeUp', merges });
    expect(await chainLengths(world)).toEqual([1, 1]);
    await world.kill();
    await expectContent(world, second);
  });

  test('layers within the chains are merged down whole, while the guest goes on', async () => {
    const { world, toolstack, first, second } = await threeLayers(makeWorld);
    const merges = first.map(({ device, volume }, index) => ({
      job: `domsnap-down-${device}`,
      device,
      top: volume,
      base: world.heads[index]!.volume,
    }));
    await twice(world, toolstack, { do: 'mergeDown', merges });
    await twice(world, toolstack, { do: 'pivotMerges', merges });
    await twice(world, toolstack, { do: 'closeMerges', merges });
    expect(await chainLengths(world)).toEqual([2, 2]);
    await world.kill();
    expect(await world.readImage(world.heads[0].volume, 2)).toBe(0x12);
    await expectContent(world, second);
  });

  test('heads are merged down until ready, and go over when the guest stands still', async () => {
    const { world, toolstack, first, second } = await threeLayers(makeWorld);
    const merges = second.map(({ device, volume }, index) => ({
      job: `domsnap-down-${device}`,
      device,
      top: volume,
      base: first[index]!.volume,
    }));
    await twice(world, toolstack, { do: 'mergeDown', merges });
    expect(await chainLengths(world)).toEqual([3, 3]);
    const early = world.toolstack().perform({ do: 'pivotMerges', merges }, callContext());
    expect((await stepErrorOf(early)).code).toBe('not-paused');
    await world.write('vda', 4, 0x14);
    await toolstack.perform({ do: 'pause' }, callContext());
    await twice(world, toolstack, { do: 'pivotMerges', merges });
    await toolstack.perform({ do: 'resume' }, callContext());
    expect(await chainLengths(world)).toEqual([2, 2]);
    await twice(world, toolstack, { do: 'closeMerges', merges });
    expect(await toolstack.jobs(callContext())).toEqual([]);
    await world.write('vda', 5, 0x15);
    await world.kill();
    expect(await world.readImage(first[0]!.volume, 4)).toBe(0x14);
    expect(await world.readImage(first[0]!.volume, 5)).toBe(0x15);
    await expectContent(world, first);
  });

  test('heads that no job has merged do not go over', async () => {
    const { world, toolstack, first, second } = await threeLayers(makeWorld);
    const [head] = second;
    const merges = [
      { job: 'domsnap-none', device: 'vda', top: head!.volume, base: first[0]!.volume },
    ];
    await toolstack.perform({ do: 'pause' }, callContext());
    const error = await stepErrorOf(
      toolstack.perform({ do: 'pivotMerges', merges }, callContext()),
    );
    expect(error.code).toBe('not-ready');
    expect(await chainLengths(world)).toEqual([3, 3]);
  });

  test('called off in the middle, a merge up leaves the content right and can be done again', async () => {
    const { world, toolstack, second } = await threeLayers(makeWorld);
    const merges = second.map(({ device, volume }, index) => ({
      job: `domsnap-up-${device}`,
      device,
      top: volume,
      base: world.heads[index]!.volume,
    }));
    const abort = new AbortController();
    const context = callContext({ signal: abort.signal, progress: () => abort.abort() });
    await toolstack
      .perform({ do: 'mergeUp', merges }, context)
      .catch((error: unknown) => expect(error).toBeInstanceOf(StepError));
    await toolstack.close();
    const next = world.toolstack();
    await twice(world, next, { do: 'cancelMerges', jobs: merges.map(({ job }) => job) });
    expect(await next.jobs(callContext())).toEqual([]);
    await twice(world, next, { do: 'mergeUp', merges });
    expect(await chainLengths(world)).toEqual([2, 2]);
    await world.kill();
    await expectContent(world, second);
  });

  test('called off in the middle, a merge down is taken up and brought to its end', async () => {
    const { world, toolstack, first, second } = await threeLayers(makeWorld);
    const merges = first.map(({ device, volume }, index) => ({
      job: `domsnap-down-${device}`,
      device,
      top: volume,
      base: world.heads[index]!.volume,
    }));
    const abort = new AbortController();
    const context = callContext({ signal: abort.signal, progress: () => abort.abort() });
    await toolstack
      .perform({ do: 'mergeDown', merges }, context)
      .catch((error: unknown) => expect(error).toBeInstanceOf(StepError));
    await toolstack.close();
    await world.toolstack().perform({ do: 'mergeDown', merges }, callContext());
    expect(await chainLengths(world)).toEqual([2, 2]);
    await world.kill();
    await expectContent(world, second);
  });

  test('images that a merge has taken out of the chain can be opened by others', async () => {
    const { world, toolstack, first, second } = await threeLayers(makeWorld);
    const merges = second.map(({ device, volume }, index) => ({
      job: `domsnap-up-${device}`,
      device,
      top: volume,
      base: world.heads[index]!.volume,
    }));
    await toolstack.perform({ do: 'mergeUp', merges }, callContext());
    for (const { volume } of first) expect(await world.isFree(volume)).toBe(true);
    for (const { volume } of second) expect(await world.isFree(volume)).toBe(false);
  });
}

/** Each disk with two overlays, and a block written at each time: 1 at first, then 2, then 3. */
async function threeLayers(makeWorld: MakeWorld) {
  const world = await makeWorld();
  const toolstack = world.toolstack();
  await started(world, toolstack);
  await writeAll(world, 1);
  const first = await snapshotOver(world, toolstack, world.heads, 's1');
  await writeAll(world, 2);
  const second = await snapshotOver(world, toolstack, first, 's2');
  await writeAll(world, 3);
  return { world, toolstack, first, second };
}

async function snapshotOver(
  world: ToolstackWorld,
  toolstack: Toolstack,
  heads: readonly Overlay[],
  label: string,
): Promise<Overlay[]> {
  const external = await overlaysOver(world, heads, label);
  await toolstack.perform({ do: 'attachOverlays', key: 'k', overlays: external }, callContext());
  await toolstack.perform({ do: 'snapshotDisks', external, internal: [] }, callContext());
  return external;
}

async function writeAll(world: ToolstackWorld, block: number): Promise<void> {
  await world.write('vda', block, 0x10 + block);
  await world.write('vdb', block, 0x20 + block);
}

async function expectContent(world: ToolstackWorld, heads: readonly Overlay[]): Promise<void> {
  for (const block of [1, 2, 3]) {
    expect(await world.readImage(heads[0]!.volume, block)).toBe(0x10 + block);
    expect(await world.readImage(heads[1]!.volume, block)).toBe(0x20 + block);
  }
}

/** Done, and done again by a life that does not know. */
async function twice(world: ToolstackWorld, toolstack: Toolstack, deed: DomainDeed): Promise<void> {
  await toolstack.perform(deed, callContext());
  await toolstack.close();
  const next = world.toolstack();
  await next.perform(deed, callContext());
  await next.close();
}

async function chainLengths(world: ToolstackWorld): Promise<number[]> {
  const toolstack = world.toolstack();
  const disks = await toolstack.liveDisks(callContext());
  await toolstack.close();
  return disks.map(({ chain }) => chain.length);
}
