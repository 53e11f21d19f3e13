import type { BlockJob, Merge } from '../../src/toolstacks/port.ts';
import { BLOCKS, type ImageStore } from './image-store.ts';
import type { Process } from './world.ts';

/** A block job in the domain's process; it neither ends nor vanishes by itself. */
export interface SimJob extends BlockJob {
  readonly merge: Merge;
  kind: 'stream' | 'commit';
  status: 'running' | 'ready' | 'pending' | 'concluded';
  error: string | null;
  cursor: number;
}

/** Is this commit's top what the guest writes to? */
export const isActive = ({ kind, merge }: SimJob, process: Process): boolean =>
  kind === 'commit' && process.heads.get(merge.device)?.path === merge.top.path;

/** Let a job do one block of its work. */
export function jobStep(store: ImageStore, process: Process, job: SimJob): void {
  if (job.status !== 'running') return;
  const { top, base } = job.merge;
  if (job.cursor >= BLOCKS) {
    job.status = isActive(job, process) ? 'ready' : 'pending';
    return;
  }
  try {
    const value = store.readAbove(top, base, job.cursor);
    if (value !== undefined) {
      const target = job.kind === 'stream' ? top : base;
      if (target) store.write(target, job.cursor, value);
    }
    job.cursor += 1;
  } catch (error) {
    job.status = 'concluded';
    job.error = error instanceof Error ? error.message : String(error);
  }
}

/** Change the chain as a job's end does: the top, or the image above it, now stands on the base. */
export function finalize(store: ImageStore, process: Process, job: SimJob): void {
  const { device, top, base } = job.merge;
  if (job.kind === 'stream') {
    store.image(top).backing = base;
  } else {
    const head = process.heads.get(device);
    if (!head || !base) throw new Error(`a commit of ${device} needs a head and a base`);
    const above = store.chain(head).find(volume => store.image(volume).backing?.path === top.path);
    if (above) store.image(above).backing = base;
  }
  job.status = 'concluded';
}
