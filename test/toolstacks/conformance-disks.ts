import { expect, test } from 'vitest';
import { type MakeWorld, overlaysOver, started } from './conformance.ts';
import { callContext, stepErrorOf } from './context.ts';

/** Overlays and tags. */
export function diskTests(makeWorld: MakeWorld): void {
  test('overlays that are attached and detached, twice each, leave the disks as they were', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await started(world, toolstack);
    const overlays = await overlaysOver(world, world.heads, 's1');
    const volumes = overlays.map(({ volume }) => volume);
    for (const life of [toolstack, toolstack]) {
      await life.perform({ do: 'attachOverlays', key: 'k', overlays }, callContext());
    }
    expect(await world.isFree(volumes[0]!)).toBe(false);
    for (const life of [toolstack, toolstack]) {
      await life.perform({ do: 'detachVolumes', volumes }, callContext());
    }
    expect((await toolstack.liveDisks(callContext())).map(({ chain }) => chain)).toEqual(
      world.heads.map(({ volume }) => [volume]),
    );
    expect(await world.isFree(volumes[0]!)).toBe(true);
  });

  test('a snapshot moves all disks to their overlays, and the bases keep what they held', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await started(world, toolstack);
    await world.write('vda', 1, 0x11);
    await world.write('vdb', 1, 0x21);
    const external = await overlaysOver(world, world.heads, 's1');
    await toolstack.perform({ do: 'attachOverlays', key: 'k', overlays: external }, callContext());
    await toolstack.perform({ do: 'pause' }, callContext());
    await toolstack.perform({ do: 'snapshotDisks', external, internal: [] }, callContext());
    await toolstack.perform({ do: 'resume' }, callContext());
    await world.write('vda', 1, 0x12);
    await world.write('vdb', 1, 0x22);
    expect(await toolstack.liveDisks(callContext())).toEqual(
      world.heads.map(({ device, volume }, index) => ({
        device,
        chain: [external[index]!.volume, volume],
      })),
    );
    const read = (which: number) => world.readImage(world.heads[which]!.volume, 1);
    expect([await read(0), await read(1)]).toEqual([0x11, 0x21]);
    await toolstack.perform({ do: 'stop' }, callContext());
    expect(await world.readImage(external[0]!.volume, 1)).toBe(0x12);
    expect(await world.readImage(external[1]!.volume, 1)).toBe(0x22);
  });

  test('a snapshot that another life has taken is not taken again', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await started(world, toolstack);
    const [vda] = await overlaysOver(world, [world.heads[0]], 's1');
    const deed = { do: 'snapshotDisks', external: [vda!], internal: [] } as const;
    await toolstack.perform({ do: 'attachOverlays', key: 'k', overlays: [vda!] }, callContext());
    await toolstack.perform(deed, callContext());
    await toolstack.close();
    await world.toolstack().perform(deed, callContext());
    const [disk] = await world.toolstack().liveDisks(callContext());
    expect(disk?.chain).toEqual([vda!.volume, world.heads[0].volume]);
  });

  test('a snapshot onto an overlay that is not open is refused, and no disk moves', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await started(world, toolstack);
    const external = await overlaysOver(world, world.heads, 's1');
    await toolstack.perform(
      { do: 'attachOverlays', key: 'k', overlays: [external[0]!] },
      callContext(),
    );
    const error = await stepErrorOf(
      toolstack.perform({ do: 'snapshotDisks', external, internal: [] }, callContext()),
    );
    expect(error.code).toBe('not-attached');
    const chains = (await toolstack.liveDisks(callContext())).map(({ chain }) => chain.length);
    expect(chains).toEqual([1, 1]);
  });

  test('a volume that a disk uses is not closed', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await started(world, toolstack);
    const error = await stepErrorOf(
      toolstack.perform({ do: 'detachVolumes', volumes: [world.heads[0].volume] }, callContext()),
    );
    expect(error.code).toBe('in-use');
  });

  test('a tag can be taken and dropped, twice each', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await started(world, toolstack);
    const internal = [{ device: 'vda', tag: 'domsnap-op1' }];
    for (const life of [toolstack, toolstack]) {
      await life.perform({ do: 'snapshotDisks', external: [], internal }, callContext());
    }
    expect((await toolstack.liveTags(callContext())).vda).toEqual(['domsnap-op1']);
    for (const life of [toolstack, toolstack]) {
      await life.perform({ do: 'dropTags', internal }, callContext());
    }
    expect((await toolstack.liveTags(callContext())).vda).toEqual([]);
  });

  test('internal and external disks of one snapshot are taken together, or none is', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await started(world, toolstack);
    const [vda] = await overlaysOver(world, [world.heads[0]], 's1');
    const external = [vda!];
    await toolstack.perform({ do: 'attachOverlays', key: 'k', overlays: external }, callContext());
    // A raw image cannot hold a tag.
    const internal = [{ device: 'vdb', tag: 'domsnap-op1' }];
    await stepErrorOf(
      toolstack.perform({ do: 'snapshotDisks', external, internal }, callContext()),
    );
    const [disk] = await toolstack.liveDisks(callContext());
    expect(disk?.chain).toEqual([world.heads[0].volume]);
  });
}
