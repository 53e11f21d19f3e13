import { isManaged } from '../catalog/model.ts';
import { sleep } from '../engine/clock.ts';
import { type EffectContext, StepError } from '../engine/step.ts';
import { FULL_PERCENT } from '../storages/fullness.ts';
import type { Images, ManagedVolume } from '../storages/port.ts';
import type { Host } from './host.ts';
import type { CreateDisk } from './input.ts';

const LOOK_EVERY_MS = 2_000;

/**
 * Do what takes long while a volume manager's snapshots fill up, or are still to be taken, and look after them:
 * as long as they are there, each write of the guest takes room of its pool, or of a classic snapshot's own,
 * and a guest whose pool is full stands still with all others on it. Work that is called off for that can be
 * taken back, which gives the room back. Throws StepError `no-space`, and what the work throws.
 */
export async function whileRoomLasts<T>(
  { images, clock }: Pick<Host, 'images' | 'clock'>,
  disks: readonly CreateDisk[],
  context: EffectContext,
  work: (context: EffectContext) => Promise<T>,
): Promise<T> {
  const volumes = disks.filter(({ head, tag }) => tag !== undefined && isManaged(head));
  if (volumes.length === 0) return work(context);
  const over = new AbortController();
  const full = new AbortController();
  let why: StepError | undefined;
  const look = async () => {
    const looking = { ...context, signal: AbortSignal.any([context.signal, over.signal]) };
    while (why === undefined) {
      await sleep(clock, LOOK_EVERY_MS, looking.signal);
      if (looking.signal.aborted) return;
      why = await shortage(images, volumes, looking);
    }
    full.abort();
  };
  // Whoever cannot be asked now is asked again by those that need the answer.
  const watching = look().catch(() => undefined);
  try {
    return await work({ ...context, signal: AbortSignal.any([context.signal, full.signal]) });
  } catch (error) {
    throw why ?? error;
  } finally {
    over.abort();
    await watching;
  }
}

async function shortage(
  images: Images,
  volumes: readonly CreateDisk[],
  context: EffectContext,
): Promise<StepError | undefined> {
  for (const { device, head, tag } of volumes) {
    const { manager } = await images.view(head, context, true);
    const message = manager && shortageOf(manager, tag);
    if (message) return new StepError('no-space', `${device}: ${message}`, { retryable: false });
  }
  return undefined;
}

function shortageOf({ pool, group, snapshots }: ManagedVolume, tag: string | undefined) {
  const broken = snapshots.find(one => one.tag === tag)?.broken;
  if (broken) return `${group}/${tag} is lost: ${broken}`;
  if (!pool) return undefined;
  const { name, dataPercent, metadataPercent } = pool;
  if (Math.max(dataPercent, metadataPercent) < FULL_PERCENT) return undefined;
  return `the thin pool ${group}/${name} runs full: ${dataPercent} % of its data, ${metadataPercent} % of its metadata`;
}
