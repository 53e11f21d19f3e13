import type { Operation, Status } from '../journal/port.ts';
import type { Survey } from '../plan/survey.ts';

/** A file whose name bears the id of an operation of domsnap, and that nothing owns. */
export interface StrayFile {
  readonly path: string;
  readonly operation: string;
  /** null: this journal does not know the operation. */
  readonly status: Status | null;
  /** Who needs it all the same: a process, or an image that stands on it. */
  readonly neededBy: string | null;
}

/** What the domain's last operation has left, by its records. */
export interface LastOperation {
  readonly id: string;
  readonly caseId: string;
  readonly runAfter: 'off' | 'running' | 'paused';
  /** It stopped a guest that ran, and never let it run again. */
  readonly leftStanding: boolean;
  /** It froze the guest, and never thawed it. */
  readonly leftFrozen: boolean;
}

/** Everything that the examination of a domain is made of. It is pure from here on. */
export interface Checkup {
  readonly facts: Survey;
  /** Why the domain does not say how it stands; its view is empty then. */
  readonly silent: string | null;
  /** Are its file systems frozen? null: nobody says. */
  readonly frozen: boolean | null;
  /** What nobody works on, and nobody has brought to its end. */
  readonly open: Operation | null;
  readonly last: LastOperation | null;
  /** How operations stand, of those that jobs and files name. */
  readonly statusOf: (operation: string) => Status | null;
  readonly strays: readonly StrayFile[];
  /** Where files lie in the trash that came from these paths. */
  readonly inTrash: ReadonlyMap<string, string>;
  /** Files and folders that this user may not use as domsnap must, with the reason. */
  readonly forbidden: readonly { readonly path: string; readonly why: string }[];
  /** Memory files that others may read. */
  readonly exposed: readonly string[];
  /** Images that snapshots and heads of all domains name, with who does. */
  readonly owners: ReadonlyMap<string, readonly string[]>;
}
