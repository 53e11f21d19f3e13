import type { MemoryJournal } from '../../src/journal/memory.ts';
import type { Life } from './life.ts';

/** What all engines of a host live on. */
export class Power {
  readonly lives = new Set<Life>();
  readonly #journal: MemoryJournal;
  /** How many turns of the others pass before a call goes on: 1, or as chance has it. */
  readonly turns: () => number;

  constructor(journal: MemoryJournal, turns: () => number = () => 1) {
    this.#journal = journal;
    this.turns = turns;
  }

  /** The host dies: all engines at one instant, and what they had not synced. */
  cut(): void {
    this.#journal.loseUnsynced();
    for (const life of [...this.lives]) life.end('host-dies');
  }
}
