import { closeSync, copyFileSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** A change of a file, or the moment from which on all before it is on disk. */
export type Change =
  | { readonly do: 'write'; readonly at: number; readonly bytes: Buffer }
  | { readonly do: 'truncate'; readonly to: number }
  | { readonly do: 'sync' };

interface Handle {
  write(bytes: Buffer, from: number, length: number, at: number): Promise<unknown>;
  truncate(to: number): Promise<void>;
  sync(): Promise<void>;
  datasync(): Promise<void>;
}

/**
 * Have all changes that this process makes to open files pass by `before`, until the answer is called.
 * What it throws comes out of the call, and the change is not made.
 */
export async function watchChanges(before: (change: Change) => void): Promise<() => void> {
  const probe = await open('/dev/null');
  const prototype = Object.getPrototypeOf(probe) as FileHandle & Handle;
  await probe.close();
  const { write, truncate, sync, datasync } = prototype as Handle;
  Object.assign(prototype, {
    async write(this: Handle, bytes: Buffer, from: number, length: number, at: number) {
      before({ do: 'write', at, bytes: Buffer.from(bytes.subarray(from, from + length)) });
      return write.call(this, bytes, from, length, at);
    },
    async truncate(this: Handle, to: number) {
      before({ do: 'truncate', to });
      return truncate.call(this, to);
    },
    async sync(this: Handle) {
      before({ do: 'sync' });
      return sync.call(this);
    },
    async datasync(this: Handle) {
      before({ do: 'sync' });
      return datasync.call(this);
    },
  });
  return () => void Object.assign(prototype, { write, truncate, sync, datasync });
}

/** Make `to` what `from` has become after some of these changes. */
export function replay(from: string, to: string, changes: readonly Change[]): void {
  copyFileSync(from, to);
  const file = openSync(to, 'r+');
  for (const change of changes) {
    if (change.do === 'write') writeSync(file, change.bytes, 0, change.bytes.length, change.at);
    if (change.do === 'truncate') ftruncateSync(file, change.to);
  }
  closeSync(file);
}

/** What is on disk when the power fails right after `count` changes: of what no sync followed, whatever `lasts`. */
export function survivors(
  changes: readonly Change[],
  count: number,
  lasts: (index: number) => boolean,
): readonly Change[] {
  const made = changes.slice(0, count);
  const safe = made.findLastIndex(change => change.do === 'sync') + 1;
  return made.flatMap((change, index) => {
    if (index < safe) return [change];
    if (change.do !== 'write') return lasts(index) ? [change] : [];
    // A disk keeps whole sectors, in any order.
    return sectorsOf(change).filter(() => lasts(index));
  });
}

function sectorsOf({ at, bytes }: Change & { do: 'write' }): Change[] {
  const parts: Change[] = [];
  for (let from = 0; from < bytes.length; from += 512) {
    parts.push({ do: 'write', at: at + from, bytes: bytes.subarray(from, from + 512) });
  }
  return parts;
}
