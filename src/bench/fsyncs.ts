import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../tools/run.ts';
import { ToolError } from '../tools/tool-error.ts';
import { domsnapCommand, type Ran } from './command.ts';
import { log } from './say.ts';

/** How often a command and its tools waited for the disk. QEMU's own syncs are not counted. */
export interface Fsyncs {
  /** Of the journal: the engine's. */
  readonly journal: number;
  /** Of images, memory files and their folders: the steps'. */
  readonly files: number;
  readonly ran: Ran;
}

/** Count a command's calls of fsync(2) and fdatasync(2) by strace; null where there is none. */
export async function fsyncsOf(
  home: string,
  args: readonly string[],
  folder: string,
): Promise<Fsyncs | null> {
  const output = join(folder, 'strace.out');
  const under = ['strace', '-f', '-y', '-qq', '-e', 'trace=fsync,fdatasync', '-o', output];
  if (!(await works(['strace', '-f', '-qq', '-o', output, 'true']))) return null;
  const ran = await domsnapCommand(home, args, under);
  const calls = syncedPaths(await readFile(output, 'utf8'));
  const journal = calls.filter(path => /\/domsnap\.db(-wal)?$/.test(path)).length;
  return { journal, files: calls.length - journal, ran };
}

/** What each call in strace's output waited for. */
export function syncedPaths(output: string): string[] {
  return [...output.matchAll(/ f(?:data)?sync\(\d+<([^>]*)>/g)].map(match => match[1] as string);
}

async function works(argv: readonly [string, ...string[]]): Promise<boolean> {
  try {
    await run(argv, { timeoutMs: 10_000, log });
    return true;
  } catch (error) {
    // Not installed, or not allowed to trace.
    if (error instanceof ToolError) return false;
    throw error;
  }
}
