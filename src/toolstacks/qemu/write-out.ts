import { open } from 'node:fs/promises';

/**
 * Has the kernel write a growing file out while it grows, one sync at a time, so that little is left
 * for the last sync, for which a guest may stand still. Only the last one counts: what goes wrong here
 * goes wrong there too.
 */
export class WriteOut {
  readonly #path: string;
  #going: Promise<void> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Begins a sync, unless one is under way. */
  poke(): void {
    this.#going ??= sync(this.#path)
      .catch(() => undefined)
      .finally(() => {
        this.#going = undefined;
      });
  }

  /** Waits until none is under way. */
  async settle(): Promise<void> {
    await this.#going;
  }
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}
