/** Keeps two processes from working on one subject. The kernel drops it with its process. */
export interface Locks {
  /** Take the subject's lock, or undefined where another process has it. */
  tryAcquire(subject: string): Lock | undefined;
}

/** A lock that is held. */
export interface Lock {
  release(): void;
}
