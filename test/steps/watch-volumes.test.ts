import { describe, expect, test } from 'vitest';
import type { EffectContext } from '../../src/engine/step.ts';
import type { Host } from '../../src/steps/host.ts';
import { whileRoomLasts } from '../../src/steps/watch-volumes.ts';

const disk = (path: string, format = 'raw') => ({
  device: 'vda',
  mode: 'internal' as const,
  head: { path, format },
  tag: 'vda.s1.op',
});

/** A host whose volume shows such a manager each time it is looked at; time flies. */
function hostOf(...looks: readonly object[]) {
  let looked = 0;
  const host = {
    clock: {
      after(_ms: number, callback: () => void) {
        const timer = setTimeout(callback, 1);
        return () => clearTimeout(timer);
      },
    },
    images: {
      view: async () => ({ manager: looks[Math.min(looked++, looks.length - 1)] }),
    },
  } as unknown as Host;
  return { host, looked: () => looked };
}

const pool = (dataPercent: number, metadataPercent = 1) => ({
  group: 'vg0',
  snapshots: [],
  pool: { name: 'pool', dataPercent, metadataPercent },
});
const context = () => ({ signal: new AbortController().signal }) as EffectContext;
const untilCalledOff = ({ signal }: EffectContext) =>
  new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(new Error('called off'))),
  );

describe('work during which volumes fill up', () => {
  test('is called off where the pool runs full, and says so', async () => {
    const { host } = hostOf(pool(50), pool(90), pool(96));
    const work = whileRoomLasts(host, [disk('/dev/vg0/root')], context(), untilCalledOff);
    await expect(work).rejects.toMatchObject({
      code: 'no-space',
      retryable: false,
      message: 'vda: the thin pool vg0/pool runs full: 96 % of its data, 1 % of its metadata',
    });
  });

  test('is called off where its own snapshot has run full', async () => {
    const snapshots = [{ tag: 'vda.s1.op', broken: 'it ran full' }];
    const { host } = hostOf({ group: 'vg0', snapshots, pool: null });
    const work = whileRoomLasts(host, [disk('/dev/vg0/root')], context(), untilCalledOff);
    await expect(work).rejects.toThrow('vg0/vda.s1.op is lost: it ran full');
  });

  test('ends as it ends by itself, and nobody looks any more', async () => {
    const { host, looked } = hostOf(pool(50, 94));
    const disks = [disk('/dev/vg0/root')];
    const work = () => new Promise(resolve => setTimeout(() => resolve('saved'), 30));
    expect(await whileRoomLasts(host, disks, context(), work)).toBe('saved');
    const then = looked();
    expect(then).toBeGreaterThan(1);
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(looked()).toBe(then);
    const failing = () => Promise.reject(new Error('its own'));
    await expect(whileRoomLasts(host, disks, context(), failing)).rejects.toThrow('its own');
  });

  test('of images in files is left alone', async () => {
    const { host, looked } = hostOf(pool(99));
    const own = context();
    const work = async (given: EffectContext) => given === own;
    expect(await whileRoomLasts(host, [disk('/images/a.qcow2', 'qcow2')], own, work)).toBe(true);
    expect(looked()).toBe(0);
  });
});
