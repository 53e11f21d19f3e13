import { readFile } from 'node:fs/promises';
import { misused } from '../plan/refusal.ts';

/** The text of a file that somebody has named. Throws RefusedError `code`, with `what` it was to be. */
export async function readInput(path: string, code: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw misused(code, `${what} cannot be read: ${why}`);
  }
}
