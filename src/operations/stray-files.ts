import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { StrayFile } from '../doctor/checkup.ts';
import { OPERATION_ID } from '../engine/system-clock.ts';
import { identityOf } from '../tools/file-facts.ts';
import { readQcow2Header } from '../tools/qcow2-header.ts';
import { ToolError } from '../tools/tool-error.ts';
import { readVhdHead } from '../tools/vhd/head.ts';
import type { ImageUse } from './image-use.ts';
import type { Session } from './session.ts';

/** `DOMAIN.DEVICE.NAME.OPERATION.qcow2` or `.vhd`, `DOMAIN.NAME.OPERATION.memory`, and images not yet whole. */
const OURS = new RegExp(`\\.(${OPERATION_ID})\\.(?:qcow2|vhd|memory)(?:\\.domsnap-draft)?$`);
/** Headers that are read to learn whether somebody's own overlay stands on a stray file. */
const HEADERS_MAX = 1_000;

/** A stray file, with the domain whose operation made it. */
export interface FoundStray extends StrayFile {
  readonly subject: string | null;
}

/** Files that bear the id of an operation and that nothing of domsnap names. Changes nothing. */
export async function strayFiles(
  { journal }: Pick<Session, 'journal'>,
  { named, held }: ImageUse,
  folders: ReadonlySet<string>,
): Promise<FoundStray[]> {
  const found: FoundStray[] = [];
  for (const folder of folders) {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    const strays = entries.filter(
      entry => entry.isFile() && OURS.test(entry.name) && !named.has(join(folder, entry.name)),
    );
    if (strays.length === 0) continue;
    const files = entries.filter(entry => entry.isFile()).map(({ name }) => join(folder, name));
    const bases = await basesOf(files.slice(0, HEADERS_MAX));
    for (const { name } of strays) {
      const path = join(folder, name);
      const id = OURS.exec(name)?.[1] ?? '';
      const operation = journal.operation(id);
      const identity = await identityOf(path);
      const holder = identity === undefined ? undefined : held.get(identity);
      // Owned, under another name: a folder may be reached by a link.
      if (holder !== undefined && !holder.startsWith('process ')) continue;
      const neededBy = holder ?? bases.get(path) ?? null;
      const status = operation?.status ?? null;
      // What is open owns what it makes.
      if (status === 'open' || status === 'needsAttention') continue;
      const subject = operation?.subject ?? null;
      found.push({ path, operation: id, status, neededBy, subject });
    }
  }
  return found;
}

/** Which files stand on which, by the headers of those that are qcow2 or VHDs. */
async function basesOf(paths: readonly string[]): Promise<Map<string, string>> {
  const bases = new Map<string, string>();
  for (const path of paths) {
    for (const base of [...(await qcow2Bases(path)), ...(await vhdParents(path))])
      bases.set(base, path);
  }
  return bases;
}

async function qcow2Bases(path: string): Promise<readonly string[]> {
  const { backingFile } = (await readQcow2Header(path).catch(unread)) ?? { backingFile: null };
  return backingFile === null ? [] : [resolve(dirname(path), backingFile)];
}

/** Under whichever of its names the parent is. */
const vhdParents = async (path: string): Promise<readonly string[]> =>
  (await readVhdHead(path).catch(unread))?.parentPaths ?? [];

/** What is of another format, or not to be read, stands on nothing that is known. */
function unread(error: unknown): undefined {
  if (!(error instanceof ToolError)) throw error;
}
