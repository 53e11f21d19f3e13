import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { fileError } from '../../tools/file-errors.ts';
import { removeIfThere } from '../../tools/files.ts';

const process = z.object({ pid: z.number(), startTicks: z.number() });

const notesSchema = z.lazy(() =>
  z.object({
    /** The capture that was begun last, and its result once it is known. */
    capture: z
      .object({
        path: z.string(),
        mode: z.enum(['background', 'precopy', 'paused']),
        process: process.nullable(),
        result: z.object({ bytes: z.number(), sha256: z.string() }).optional(),
      })
      .optional(),
    /** Merges that were begun under another's name for the job, in which process. */
    merges: z
      .array(z.object({ job: z.string(), device: z.string(), process: process.nullable() }))
      .optional(),
    /** What a domain is started from again that its toolstack forgets when it ends. */
    description: z.string().optional(),
    /** The QEMU process whose guest was told to freeze, and has not thawed since. */
    frozen: process.optional(),
    /** The QEMU process in which no background capture may be tried again, and why. */
    burnt: z.object({ process, why: z.string() }).optional(),
  }),
);

/** What domsnap remembers of a domain's process from one life of its own to the next. */
export type NotesContent = z.infer<typeof notesSchema>;

/**
 * A small file per domain, below the home folder. It outlives our process and need not outlive the
 * host, on which every QEMU is gone too: so it is not synced, and costs nothing in a window.
 */
export class Notes {
  readonly #folder: string;
  readonly #name: string;

  constructor(home: string, domain: string) {
    this.#folder = join(home, 'run');
    this.#name = domain;
  }

  /** A file of this domain's process in the same folder, which is made if need be. */
  path(ending: 'pid' | 'log' | 'json'): string {
    return join(this.#folder, `${this.#name}.${ending}`);
  }

  /** Throws ToolError. */
  prepareFolder(): void {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw fileError('mkdir', this.#folder, cause);
    }
  }

  /** A file that is not there, or not ours to understand, says nothing. */
  read(): NotesContent {
    try {
      const parsed = notesSchema.safeParse(JSON.parse(readFileSync(this.path('json'), 'utf8')));
      return parsed.success ? parsed.data : {};
    } catch {
      return {};
    }
  }

  /**
   * Takes the old content's place in one instant; `undefined` forgets a part. To forget all of it needs no
   * room, so that a guest can be started, and a capture called off, in a home that is full.
   * Throws ToolError.
   */
  write(change: { [Key in keyof NotesContent]?: NotesContent[Key] | undefined }): void {
    const path = this.path('json');
    const content = { ...this.read(), ...change };
    try {
      if (Object.values(content).every(part => part === undefined)) {
        removeIfThere(path);
        return;
      }
      this.prepareFolder();
      const draft = `${path}.new`;
      writeFileSync(draft, JSON.stringify(content), { mode: 0o600 });
      renameSync(draft, path);
    } catch (cause) {
      throw fileError('write', path, cause);
    }
  }
}
