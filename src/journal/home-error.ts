/** What keeps a home folder from being used, as far as it is known. */
export type HomeTrouble =
  | 'read-only'
  | 'not-allowed'
  | 'not-a-folder'
  | 'newer'
  | 'no-room'
  | 'other';

/** The home folder cannot be used; nothing was changed in it. */
export class HomeError extends Error {
  override readonly name: string = 'HomeError';
  readonly trouble: HomeTrouble;
  /** A journal is there, or may be: another home does not know on which images its domains belong. */
  readonly holdsJournal: boolean;

  constructor(
    message: string,
    options: ErrorOptions & {
      readonly trouble?: HomeTrouble;
      readonly holdsJournal: boolean;
    },
  ) {
    super(message, options);
    this.trouble = options.trouble ?? 'other';
    this.holdsJournal = options.holdsJournal;
  }
}

/**
 * The database of a home folder is not what was written: cut off, overwritten or broken. It has not been
 * written to, and is not until a person has seen to it: what is left of it may be all that there is.
 */
export class DamagedError extends HomeError {
  override readonly name = 'DamagedError';
  /** The damaged file. */
  readonly path: string;

  constructor(path: string, what: string, options?: ErrorOptions) {
    super(`the journal ${path} is damaged: ${what}`, { ...options, holdsJournal: true });
    this.path = path;
  }
}

/** So little room is left for the journal that no new operation may begin. Nothing was touched. */
export class NoRoomError extends HomeError {
  override readonly name = 'NoRoomError';

  constructor(home: string, options: ErrorOptions & { readonly holdsJournal: boolean }) {
    const message = `there is no room for the journal in the home folder ${home}`;
    super(message, { ...options, trouble: 'no-room' });
  }
}

/**
 * A record could not be written, or nobody knows whether it was: the process must end, and the next
 * one reads from the disk what is true. Never tried again: after a failed fsync the kernel holds the lost
 * pages for clean, and the next fsync would succeed without them.
 */
export class JournalFailedError extends Error {
  override readonly name = 'JournalFailedError';
  /** There was no space, as opposed to a disk that fails. */
  readonly full: boolean;

  constructor(path: string, full: boolean, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`the journal ${path} cannot be written: ${why}`, { cause });
    this.full = full;
  }
}
