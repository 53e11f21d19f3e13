import { createHash } from 'node:crypto';
import { type BigIntStats, createReadStream, readdirSync, readlinkSync, statSync } from 'node:fs';
import { lstat, stat, statfs } from 'node:fs/promises';
import type { CallSink } from './call-log.ts';
import { fileCall, fileError } from './file-errors.ts';
import { pids } from './process.ts';
import { ToolError } from './tool-error.ts';

// Read-only questions about files. They throw ToolError `missing` or `failed`; the cheap ones are
// not logged as tool calls, since they change nothing and say nothing that an audit needs.

/** Bytes that an unprivileged process may still write to the file system of `folder`. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder).catch(cause => {
    throw fileError('statfs', folder, cause);
  });
  return bavail * bsize;
}

/** The SHA-256 of a file, in hex; 1 to 3 s per GiB. Throws `aborted` too. */
export function sha256File(
  path: string,
  log: CallSink,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<string> {
  return fileCall(log, ['sha256', path], async () => {
    const hash = createHash('sha256');
    const stream = createReadStream(path, {
      highWaterMark: 1024 * 1024,
      ...(options.signal ? { signal: options.signal } : {}),
    });
    for await (const chunk of stream) hash.update(chunk);
    return hash.digest('hex');
  });
}

/** A file's length, and what it occupies (less if it has holes). Zero length for block devices. */
export async function fileSize(
  path: string,
): Promise<{ readonly sizeBytes: number; readonly allocatedBytes: number }> {
  const found = await statOf(path);
  return { sizeBytes: Number(found.size), allocatedBytes: Number(found.blocks) * 512 };
}

/** Whether it is a plain file, and not a device or a folder. */
export async function isRegularFile(path: string): Promise<boolean> {
  return (await statOf(path)).isFile();
}

/** Who owns a file, and its permission bits. */
export async function ownerOf(
  path: string,
): Promise<{ readonly uid: number; readonly gid: number; readonly mode: number }> {
  const found = await statOf(path);
  return { uid: Number(found.uid), gid: Number(found.gid), mode: Number(found.mode & 0o7777n) };
}

/** Whether there is anything under that name, a dangling link too. */
export async function fileExists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (cause) {
    const error = fileError('lstat', path, cause);
    if (error.code === 'missing') return false;
    throw error;
  }
}

/**
 * A file that is about to be written to under a name of our own must be a plain one that has no other
 * name: a link that somebody laid there would be followed. Throws ToolError `failed` (`EEXIST`).
 */
export async function mustBePlain(path: string): Promise<void> {
  const found = await lstat(path).catch(cause => {
    throw fileError('lstat', path, cause);
  });
  if (found.isFile() && found.nlink === 1) return;
  const detail = { operation: 'lstat', path, errno: 'EEXIST' };
  throw new ToolError('file', 'failed', `${path} exists, and is a link or no plain file`, detail);
}

/** Whether two names mean the same file or device. False if either is missing. */
export async function sameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([stat(a, bigint), stat(b, bigint)]).catch(() => []);
  return first !== undefined && second !== undefined && identity(first) === identity(second);
}

/**
 * The pids of other processes that have the file open under whatever name, by /proc. Processes that
 * we may not look into are not seen: complete for root, own processes only for others.
 */
export async function openedByOthers(path: string): Promise<number[]> {
  const wanted = identity(await statOf(path));
  return otherPids().filter(pid => opened(pid, wanted));
}

/** All plain files that other processes have open, as `device:inode`, with their pids; seen as above. */
export function openFiles(): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>();
  for (const pid of otherPids()) {
    for (const identity of new Set(openIn(pid))) {
      found.set(identity, [...(found.get(identity) ?? []), pid]);
    }
  }
  return found;
}

/** The file or device behind a name, as `openFiles` names it; undefined where there is none. */
export async function identityOf(path: string): Promise<string | undefined> {
  const found = await stat(path, bigint).catch(() => undefined);
  return found && identity(found);
}

const bigint = { bigint: true } as const;

async function statOf(path: string): Promise<BigIntStats> {
  return await stat(path, bigint).catch(cause => {
    throw fileError('stat', path, cause);
  });
}

/** A device is the same under each of its nodes; a file is its inode. */
function identity(found: BigIntStats): string {
  return found.isBlockDevice() ? `device ${found.rdev}` : `${found.dev}:${found.ino}`;
}

const otherPids = (): number[] => pids().filter(pid => pid !== process.pid);

function opened(pid: number, wanted: string): boolean {
  for (const found of openIn(pid)) if (found === wanted) return true;
  return false;
}

function* openIn(pid: number): Generator<string> {
  const folder = `/proc/${pid}/fd`;
  let fds: string[];
  try {
    fds = readdirSync(folder);
  } catch {
    return;
  }
  for (const fd of fds) {
    try {
      // The link's text spares a stat of the many sockets, pipes and event descriptors.
      if (!readlinkSync(`${folder}/${fd}`).startsWith('/')) continue;
      yield identity(statSync(`${folder}/${fd}`, bigint));
    } catch {
      // Closed since, or not for us to see.
    }
  }
}
