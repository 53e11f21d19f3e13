/** One transaction as it lies on a disk. */
export interface Frame {
  /** Over the text and the hash of the record before it: a frame that is torn or out of place is none. */
  readonly seal: number;
  readonly text: string;
}

/** What a journal in memory writes to, so that a simulator can have it lose, tear or refuse writes. */
export interface MemoryDisk {
  /** Put a frame into a place. Throws where that fails. */
  write(place: number, frame: Frame): void;
  /** What is written survives the death of the host from now on. Throws where nobody knows that. */
  sync(): void;
  /** The host dies. */
  crash(): void;
  read(place: number): Frame | undefined;
  /** All that was written is in `state` now, durably. */
  checkpoint(state: unknown): void;
  readonly state: unknown;
}

/** A disk that does what it promises, and of what it does not promise, nothing. */
export function memoryDisk(): MemoryDisk {
  const frames: Frame[] = [];
  let synced = 0;
  let state: unknown;
  return {
    write(place, frame) {
      frames[place] = frame;
    },
    sync() {
      synced = frames.length;
    },
    crash() {
      frames.length = synced;
    },
    read: place => frames[place],
    checkpoint(now) {
      state = now;
      frames.length = 0;
      synced = 0;
    },
    get state() {
      return state;
    },
  };
}
