import { expect, test } from 'vitest';
import { type MakeWorld, overlaysOver, started } from './conformance.ts';
import { callContext, stepErrorOf } from './context.ts';

/** Start, stop, pause and resume; and asking. */
export function lifeTests(makeWorld: MakeWorld): void {
  test('a domain that is off says so, and shows no disks', async () => {
    const toolstack = (await makeWorld()).toolstack();
    expect(await toolstack.runState(callContext())).toBe('off');
    expect(await toolstack.liveDisks(callContext())).toEqual([]);
    expect(await toolstack.jobs(callContext())).toEqual([]);
    const view = await toolstack.inspect(callContext());
    expect(view).toMatchObject({ runState: 'off', disks: [], agent: { answers: false } });
    expect(Object.values(view.captures).map(({ works }) => works)).toEqual([false, false, false]);
  });

  test('a domain that is off takes no deed but a start and a stop', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await toolstack.perform({ do: 'stop' }, callContext());
    for (const deed of [
      { do: 'pause' },
      { do: 'snapshotDisks', external: [], internal: [{ device: 'vda', tag: 't' }] },
    ] as const) {
      expect(await stepErrorOf(toolstack.perform(deed, callContext()))).toMatchObject({
        code: 'off',
      });
    }
    // There is nothing to let run, which is no failure: a guest that waits is not asked about first.
    expect(await toolstack.perform({ do: 'resume' }, callContext())).toEqual({ status: 'off' });
  });

  test('a start runs the domain on the heads, and a second start finds it running', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await started(world, toolstack);
    await started(world, world.toolstack());
    expect(await toolstack.runState(callContext())).toBe('running');
    expect(await toolstack.liveDisks(callContext())).toEqual(
      world.heads.map(({ device, volume }) => ({ device, chain: [volume] })),
    );
  });

  test('a paused start leaves the guest standing still until it is resumed', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await toolstack.perform({ do: 'start', heads: world.heads, paused: true }, callContext());
    expect(await toolstack.runState(callContext())).toBe('paused');
    await toolstack.perform({ do: 'resume' }, callContext());
    expect(await toolstack.runState(callContext())).toBe('running');
  });

  test('a start on other heads than those the domain runs on is refused', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await started(world, toolstack);
    const heads = await overlaysOver(world, world.heads, 'other');
    const error = await stepErrorOf(
      toolstack.perform({ do: 'start', heads, paused: false }, callContext()),
    );
    expect(error.retryable).toBe(false);
    expect(await toolstack.runState(callContext())).toBe('running');
  });

  test('pause and resume do nothing where they have been done', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await started(world, toolstack);
    for (const life of [toolstack, toolstack]) await life.perform({ do: 'pause' }, callContext());
    expect(await toolstack.runState(callContext())).toBe('paused');
    for (const life of [toolstack, toolstack]) await life.perform({ do: 'resume' }, callContext());
    expect(await toolstack.runState(callContext())).toBe('running');
  });

  test('a stop keeps every write of the guest, and a second stop finds it off', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await started(world, toolstack);
    await world.write('vda', 1, 0x11);
    await world.write('vdb', 2, 0x22);
    await toolstack.perform({ do: 'stop' }, callContext());
    await toolstack.perform({ do: 'stop' }, callContext());
    expect(await toolstack.runState(callContext())).toBe('off');
    expect(await world.readImage(world.heads[0].volume, 1)).toBe(0x11);
    expect(await world.readImage(world.heads[1].volume, 2)).toBe(0x22);
  });

  test('a domain that dies is off for the toolstack that had just talked to it', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await started(world, toolstack);
    await world.kill();
    expect(await toolstack.runState(callContext())).toBe('off');
    expect(await toolstack.liveDisks(callContext())).toEqual([]);
    await started(world, toolstack);
    expect(await toolstack.runState(callContext())).toBe('running');
  });

  test('the digest of the devices is the same for the next start and the running domain', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    const before = await toolstack.inspect(callContext());
    await started(world, toolstack);
    const after = await world.toolstack().inspect(callContext());
    expect(after.deviceDigest).toBe(before.deviceDigest);
    expect(after).toMatchObject({ runState: 'running', jobs: [] });
    expect(after.memoryBytes).toBeGreaterThan(0);
  });
}
