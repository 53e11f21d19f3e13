/** What the command's exit codes mean; a contract. */
export const EXIT = {
  done: 0,
  /** A bug in domsnap. */
  bug: 1,
  /** Bad usage or input. */
  usage: 2,
  /** Refused before anything was touched. */
  refused: 3,
  /** Failed or called off, and rolled back. */
  rolledBack: 4,
  /** A person is needed, or `domsnap recover`. */
  attention: 5,
  /** Another operation has the domain. */
  busy: 6,
  /** Done, but what there was to say of it could not be written. */
  unwritten: 7,
} as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];
