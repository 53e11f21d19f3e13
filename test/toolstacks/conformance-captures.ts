import { expect, test } from 'vitest';
import { z } from 'zod';
import type { Capture, Toolstack } from '../../src/toolstacks/port.ts';
import { type MakeWorld, started, type ToolstackWorld } from './conformance.ts';
import { callContext, stepErrorOf } from './context.ts';

const result = z.object({ bytes: z.number().positive(), sha256: z.string().min(1) });

/** Memory: saved in each way, called off, and started from. */
export function captureTests(makeWorld: MakeWorld, captures: readonly Capture[]): void {
  for (const capture of captures) {
    test(`${capture}: memory is saved, and the domain starts from it, standing still`, async () => {
      const world = await makeWorld();
      const toolstack = world.toolstack();
      await started(world, toolstack);
      const saved = await save(world, toolstack, capture);
      expect(await toolstack.runState(callContext())).toBe('running');
      const { deviceDigest } = await toolstack.inspect(callContext());
      await toolstack.perform({ do: 'stop' }, callContext());
      const from = {
        do: 'startFrom',
        heads: world.heads,
        memory: { path: saved.path, deviceDigest },
      } as const;
      await toolstack.perform(from, callContext());
      await toolstack.close();
      await world.toolstack().perform(from, callContext());
      expect(await world.toolstack().runState(callContext())).toBe('paused');
      await toolstack.perform({ do: 'resume' }, callContext());
      expect(await toolstack.runState(callContext())).toBe('running');
    });

    test(`${capture}: a life that takes it up finishes it, and finishing twice says the same`, async () => {
      const world = await makeWorld();
      const toolstack = world.toolstack();
      await started(world, toolstack);
      const path = world.path('memory');
      await world.createFile(path);
      if (capture !== 'precopy') await toolstack.perform({ do: 'pause' }, callContext());
      await toolstack.perform({ do: 'beginCapture', capture, path }, callContext());
      await toolstack.close();
      const next = world.toolstack();
      await next.perform({ do: 'beginCapture', capture, path }, callContext());
      const first = await next.perform({ do: 'finishCapture', capture, path }, callContext());
      await next.close();
      const again = world.toolstack();
      const second = await again.perform({ do: 'finishCapture', capture, path }, callContext());
      expect(result.parse(second)).toEqual(result.parse(first));
    });

    test(`${capture}: called off, the domain goes on, and its memory can be saved again`, async () => {
      const world = await makeWorld();
      const toolstack = world.toolstack();
      await started(world, toolstack);
      const path = world.path('unfinished');
      await world.createFile(path);
      if (capture !== 'precopy') await toolstack.perform({ do: 'pause' }, callContext());
      await toolstack.perform({ do: 'beginCapture', capture, path }, callContext());
      for (const life of [toolstack, toolstack]) {
        await life.perform({ do: 'cancelCapture', capture, path }, callContext());
      }
      await toolstack.perform({ do: 'resume' }, callContext());
      await world.write('vda', 3, 0x33);
      await save(world, toolstack, capture);
      expect(await toolstack.runState(callContext())).toBe('running');
    });

    test(`${capture}: called off before it has begun, it can begin all the same`, async () => {
      const world = await makeWorld();
      const toolstack = world.toolstack();
      await started(world, toolstack);
      const path = world.path('memory');
      await world.createFile(path);
      await toolstack.perform({ do: 'prepareCapture', capture }, callContext());
      await toolstack.perform({ do: 'cancelCapture', capture, path }, callContext());
      if (capture !== 'precopy') await toolstack.perform({ do: 'pause' }, callContext());
      await toolstack.perform({ do: 'beginCapture', capture, path }, callContext());
      const state = await toolstack.runState(callContext());
      expect(state).toBe(capture === 'background' ? 'running' : 'paused');
      result.parse(await toolstack.perform({ do: 'finishCapture', capture, path }, callContext()));
    });
  }

  test('a guest that its capture holds can be let run, whatever becomes of the capture', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await started(world, toolstack);
    const path = world.path('memory');
    await world.createFile(path);
    await toolstack.perform({ do: 'beginCapture', capture: 'precopy', path }, callContext());
    expect(await toolstack.runState(callContext())).toBe('paused');
    await toolstack.perform({ do: 'resume' }, callContext());
    expect(await toolstack.runState(callContext())).toBe('running');
  });

  test('the memory that a domain is started from is the one that was saved', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    await started(world, toolstack);
    await toolstack.perform({ do: 'pause' }, callContext());
    const before = await world.memoryDigest();
    const path = world.path('memory');
    await world.createFile(path);
    const { deviceDigest } = await toolstack.inspect(callContext());
    await toolstack.perform({ do: 'beginCapture', capture: 'paused', path }, callContext());
    await toolstack.perform({ do: 'finishCapture', capture: 'paused', path }, callContext());
    expect(await toolstack.runState(callContext())).toBe('paused');
    await toolstack.perform({ do: 'stop' }, callContext());
    const memory = { path, deviceDigest };
    await toolstack.perform({ do: 'startFrom', heads: world.heads, memory }, callContext());
    expect(await world.memoryDigest()).toBe(before);
  });

  test('memory of another machine is refused before anything is started', async () => {
    const world = await makeWorld();
    const toolstack = world.toolstack();
    const memory = { path: world.path('memory'), deviceDigest: 'another' };
    await stepErrorOf(
      toolstack.perform({ do: 'startFrom', heads: world.heads, memory }, callContext()),
    );
    expect(await toolstack.runState(callContext())).toBe('off');
  });
}

async function save(
  world: ToolstackWorld,
  toolstack: Toolstack,
  capture: Capture,
): Promise<{ path: string; bytes: number }> {
  const path = world.path('memory');
  await world.createFile(path);
  await toolstack.perform({ do: 'prepareCapture', capture }, callContext());
  if (capture !== 'precopy') await toolstack.perform({ do: 'pause' }, callContext());
  await toolstack.perform({ do: 'beginCapture', capture, path }, callContext());
  const standing = (await toolstack.runState(callContext())) === 'paused';
  expect(standing).toBe(capture !== 'background');
  const saved = await toolstack.perform({ do: 'finishCapture', capture, path }, callContext());
  await toolstack.perform({ do: 'resume' }, callContext());
  return { path, ...result.parse(saved) };
}
