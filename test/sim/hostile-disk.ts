import type { Frame, MemoryDisk } from '../../src/journal/memory-disk.ts';
import type { Choose } from './every-run.ts';

/** A disk that a chooser has lose, tear, reorder and refuse what is written to it. */
export interface HostileDisk extends MemoryDisk {
  /** Writes and syncs that were asked for. */
  readonly asked: { writes: number; syncs: number };
}

/** How a write may go. */
const WRITES = ['written', 'refused', 'refused half way'] as const;
/** What becomes of a write that was not synced, when the host dies: in any order, so each for itself. */
const DEATHS = ['kept', 'lost', 'torn'] as const;

/** An empty hostile disk. */
export function hostileDisk(choose: Choose): HostileDisk {
  /** What everybody reads while the host lives, and what is on the platter. */
  let cache: (Frame | undefined)[] = [];
  let platter: (Frame | undefined)[] = [];
  let dirty = new Set<number>();
  /** Its fsync has failed: the kernel holds it for clean, and no later fsync writes it. */
  let forgotten = new Set<number>();
  let state: unknown;
  const asked = { writes: 0, syncs: 0 };
  return {
    asked,
    write(place, frame) {
      asked.writes += 1;
      const fate = WRITES[choose(WRITES.length)];
      forgotten.delete(place);
      if (fate === 'refused') throw new Error('ENOSPC');
      cache[place] = fate === 'written' ? frame : torn(frame);
      dirty.add(place);
      if (fate !== 'written') throw new Error('EIO');
    },
    sync() {
      asked.syncs += 1;
      if (choose(2) === 1) {
        for (const place of dirty) forgotten.add(place);
        dirty = new Set();
        throw new Error('fsync: EIO');
      }
      for (const place of dirty) platter[place] = cache[place];
      dirty = new Set();
    },
    crash() {
      for (const place of [...dirty, ...forgotten]) {
        const fate = DEATHS[choose(DEATHS.length)];
        const frame = cache[place];
        if (fate === 'kept') platter[place] = frame;
        if (fate === 'torn' && frame) platter[place] = torn(frame);
      }
      dirty = new Set();
      forgotten = new Set();
      cache = [...platter];
    },
    read: place => cache[place],
    checkpoint(now) {
      state = now;
      cache = [];
      platter = [];
    },
    get state() {
      return state;
    },
  };
}

const torn = ({ seal, text }: Frame): Frame => ({ seal, text: text.slice(0, text.length / 2) });
