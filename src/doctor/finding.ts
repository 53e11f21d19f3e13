import type { DomainDisk } from '../catalog/model.ts';
import { typed } from '../plan/typed.ts';

/** How a finding can be made good, as an operation. */
export type Repair =
  /** Bring an operation to its end that was left open. */
  | { readonly kind: 'recover'; readonly operation: string }
  | { readonly kind: 'resume' }
  | { readonly kind: 'thaw' }
  | { readonly kind: 'jobs'; readonly jobs: readonly string[] }
  | { readonly kind: 'heads'; readonly heads: readonly DomainDisk[] }
  | { readonly kind: 'orphans'; readonly paths: readonly string[] };

/** Something that is not as it should be, or that somebody should know. */
export interface Finding {
  /** A short word for programs, and for `--sure`. */
  readonly code: string;
  /** null: of the whole host. */
  readonly domain: string | null;
  /** `attention`: the exit code says so. `advice`: nothing is wrong yet. */
  readonly severity: 'attention' | 'advice';
  readonly what: string;
  /** What it means for the domain and its snapshots. */
  readonly meaning: string;
  /** What to type. */
  readonly hint: string;
  readonly repair: Repair | null;
  /** domsnap's own records or the running domain prove the repair to be right; else a person must say so. */
  readonly proven: boolean;
}

/** A finding that can only be explained. */
export function explained(
  told: Pick<Finding, 'code' | 'domain' | 'what' | 'meaning' | 'hint'>,
  severity: Finding['severity'] = 'attention',
): Finding {
  return { ...told, severity, repair: null, proven: false };
}

/** A finding that `--fix` makes good; where it is not proven, only when its code is named, too. */
export function repairable(
  told: Pick<Finding, 'code' | 'domain' | 'what' | 'meaning'>,
  repair: Repair,
  { proven }: { readonly proven: boolean },
): Finding {
  const fix = ['doctor', ...(told.domain ? [told.domain] : []), '--fix'];
  const hint = proven
    ? `${typed(...fix)} ${repair.kind === 'recover' ? 'recovers' : 'repairs'} it`
    : `${typed(...fix, '--sure', told.code)}, if you are sure that nobody wants it so`;
  return { ...told, severity: 'attention', hint, repair, proven };
}
