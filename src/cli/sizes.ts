import type { Domain, Snapshot } from '../catalog/model.ts';
import { fileSize } from '../tools/file-facts.ts';
import { ToolError } from '../tools/tool-error.ts';

/** What a snapshot occupies, in bytes. */
export interface Sizes {
  /** Images that only this snapshot names, and its memory: what deleting it could free at most. */
  readonly own: number;
  /** Images that it shares with other snapshots or with the running head. */
  readonly shared: number;
  /** Files that are not there, or cannot be looked at. */
  readonly missing: readonly string[];
}

/** Sizes of all snapshots of a domain, by name. One stat for each file; no image is opened. */
export async function sizesOf(
  domain: Domain,
  snapshots: readonly Snapshot[],
): Promise<ReadonlyMap<string, Sizes>> {
  const users = new Map<string, number>();
  const use = (path: string) => users.set(path, (users.get(path) ?? 0) + 1);
  for (const { head } of domain.disks) use(head.path);
  for (const snapshot of snapshots) for (const path of imagesOf(snapshot)) use(path);
  const paths = [...users.keys(), ...snapshots.flatMap(({ memory }) => memory?.path ?? [])];
  const found = new Map(
    await Promise.all(paths.map(async path => [path, await allocated(path)] as const)),
  );
  return new Map(
    snapshots.map(snapshot => [snapshot.name, sizesIn(snapshot, users, found)] as const),
  );
}

function sizesIn(
  snapshot: Snapshot,
  users: ReadonlyMap<string, number>,
  found: ReadonlyMap<string, number | undefined>,
): Sizes {
  let own = 0;
  let shared = 0;
  const missing: string[] = [];
  for (const path of [...imagesOf(snapshot), ...(snapshot.memory ? [snapshot.memory.path] : [])]) {
    const size = found.get(path);
    if (size === undefined) missing.push(path);
    else if ((users.get(path) ?? 1) > 1) shared += size;
    else own += size;
  }
  return { own, shared, missing };
}

const imagesOf = ({ disks }: Snapshot): string[] =>
  disks.filter(({ mode }) => mode !== 'none').map(({ image }) => image.path);

async function allocated(path: string): Promise<number | undefined> {
  try {
    return (await fileSize(path)).allocatedBytes;
  } catch (error) {
    if (error instanceof ToolError) return undefined;
    throw error;
  }
}
