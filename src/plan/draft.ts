import type { Conditions } from '../../machines/case-of.ts';
import type { CaseInput } from '../steps/input.ts';
import type { Refusal } from './refusal.ts';

/** A decision of the plan, with its reason, for people. */
export interface Note {
  readonly what: string;
  readonly why: string;
}

/** What an operation needs on one file system at its peak. */
export interface SpaceNeed {
  readonly folder: string;
  readonly bytes: number;
  readonly freeBytes: number;
}

/** What the planning of one kind of operation comes to; the case follows from the conditions. */
export interface Draft {
  readonly conditions: Conditions;
  readonly input: CaseInput;
  readonly deadlines: Readonly<Record<string, number>>;
  readonly refusals: readonly Refusal[];
  readonly notes: readonly Note[];
  /** Bytes of guest data or memory that will be copied. */
  readonly bytesToMove: number;
  readonly space: readonly SpaceNeed[];
}

/** What to do where a file system is full. Trash lies beside the images, and takes their room. */
export const ROOM_HINT =
  "make room there: 'domsnap gc --older-than 0d' empties the trash ('--dry-run' shows what it holds)";

/** Add up needs by folder, and refuse those that do not fit. */
export function spaceNeeds(
  free: ReadonlyMap<string, number>,
  needs: readonly { folder: string; bytes: number }[],
): { space: SpaceNeed[]; refusals: Refusal[] } {
  const byFolder = new Map<string, number>();
  for (const { folder, bytes } of needs) {
    byFolder.set(folder, (byFolder.get(folder) ?? 0) + bytes);
  }
  const space = [...byFolder].map(([folder, bytes]) => ({
    folder,
    bytes,
    freeBytes: free.get(folder) ?? 0,
  }));
  const refusals = space
    .filter(({ bytes, freeBytes }) => bytes > freeBytes)
    .map(({ folder, bytes, freeBytes }) => ({
      code: 'no-space',
      message: `${folder} has ${mebibytes(freeBytes)} free; this needs ${mebibytes(bytes)} at its peak`,
      hint: ROOM_HINT,
    }));
  return { space, refusals };
}

/** A deadline for moving bytes: ten minutes, and a second for each 5 MB, slower than any disk in use. */
export const bulkDeadlineMs = (bytes: number): number => Math.round(10 * 60_000 + bytes / 5_000);

/** A size for people. */
export const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
