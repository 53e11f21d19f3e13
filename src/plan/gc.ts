import { join } from 'node:path';
import type { TrashedFile } from '../storages/trash-list.ts';

/** What else than its age decides whether a file in the trash may go. */
export interface TrashNeeds {
  /** Operations that have not come to their end. */
  readonly open: ReadonlySet<string>;
  /** The domains of the operations that this journal knows. */
  readonly domains: ReadonlyMap<string, string>;
  /** Paths that a record, an open operation or an image names, with who does. */
  readonly named: ReadonlyMap<string, string>;
  /** `device:inode` of files that are named, or open in a process, with who needs them. */
  readonly held: ReadonlyMap<string, string>;
  /** Domains that do not say which images they use. */
  readonly silent: ReadonlySet<string>;
  /** Paths at which there is a file now. */
  readonly there: ReadonlySet<string>;
}

/** How much trash may lie around. */
export interface GcLimits {
  readonly nowMs: number;
  readonly olderThanMs: number;
  /** Of all trash together; the oldest goes first. */
  readonly bytesMax: number | undefined;
}

/** A file in the trash, and what becomes of it. */
export interface TrashVerdict {
  readonly file: TrashedFile;
  readonly domain: string | null;
  readonly ageMs: number;
  readonly verdict: 'purge' | 'keep';
  /** `too young`, or who still needs it. */
  readonly why: string;
}

/**
 * Which files of the trash go: those old enough, and the oldest of the rest until what is left fits;
 * never what anything still needs. Pure.
 */
export function chooseTrash(
  files: readonly TrashedFile[],
  needs: TrashNeeds,
  { nowMs, olderThanMs, bytesMax }: GcLimits,
): TrashVerdict[] {
  const oldestFirst = [...files].sort((a, b) => a.at - b.at);
  let total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  return oldestFirst.map(file => {
    const domain = needs.domains.get(file.operation) ?? null;
    const ageMs = Math.max(0, nowMs - file.at);
    const needed = neededBy(file, domain, needs);
    const told = { file, domain, ageMs };
    if (needed !== undefined) return { ...told, verdict: 'keep' as const, why: needed };
    const old = ageMs >= olderThanMs;
    const tooMuch = bytesMax !== undefined && total > bytesMax;
    if (!old && !tooMuch) return { ...told, verdict: 'keep' as const, why: 'too young' };
    total -= file.bytes;
    return { ...told, verdict: 'purge' as const, why: old ? 'old enough' : 'there is too much' };
  });
}

/** Who still needs a file, if anybody does or may. */
function neededBy(
  { folder, operation, name, from, identity }: TrashedFile,
  domain: string | null,
  needs: TrashNeeds,
): string | undefined {
  if (needs.open.has(operation)) return `the operation ${operation} has not come to its end`;
  // Another home of domsnap may have an operation open that is nothing to this journal.
  if (domain === null) return `this journal does not know the operation ${operation}`;
  if (needs.silent.has(domain)) return `${domain} does not say which images it uses`;
  const holder = needs.held.get(identity) ?? needs.named.get(join(folder, operation, name));
  if (holder !== undefined) return holder;
  const misser = needs.there.has(from) ? undefined : needs.named.get(from);
  return misser === undefined ? undefined : `${misser}, where it is missing`;
}
