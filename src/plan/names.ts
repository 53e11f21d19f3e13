import { misused } from './refusal.ts';

/** Bytes of UTF-8: with the device and the operation's id it must fit into a file name of 255. */
const NAME_BYTES_MAX = 128;

/**
 * Check a name of a snapshot or a domain at the door. Throws RefusedError (usage), naming what is wrong.
 */
export function checkName(kind: 'snapshot' | 'domain', name: string): string {
  const wrong = whatIsWrong(name);
  if (wrong) {
    const shown = spelled(name.length > 40 ? `${name.slice(0, 40)}…` : name);
    throw misused('bad-name', `the ${kind} name ${shown} ${wrong}`, `choose another name`);
  }
  return name;
}

/** Control characters, and those that reorder or hide text on a terminal. */
const UNSEEN = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069\u200B-\u200F\uFEFF]/gu;

/** As a person can see it: JSON leaves some characters as they are that a terminal acts upon. */
const spelled = (name: string): string =>
  JSON.stringify(name).replace(
    UNSEEN,
    unseen => `\\u${(unseen.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );

function whatIsWrong(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (name.includes('\uFFFD') || !name.isWellFormed()) return 'is not valid UTF-8';
  if (/[/\\]/.test(name)) return 'has a path separator';
  if (name.search(UNSEEN) >= 0) return 'has a control character';
  if (name.startsWith('-')) return 'begins with a dash';
  if (name === '.' || name === '..') return 'means a folder';
  if (name !== name.trim()) return 'begins or ends with a space';
  const bytes = Buffer.byteLength(name);
  if (bytes > NAME_BYTES_MAX) return `is ${bytes} bytes long; ${NAME_BYTES_MAX} are allowed`;
  return undefined;
}

/** A name for a snapshot that was given none, from the time of its plan (UTC). */
export function generatedName(prefix: string, at: number, taken: ReadonlySet<string>): string {
  const stamp = new Date(at).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? `${prefix}-${stamp}` : `${prefix}-${stamp}-${n}`;
    if (!taken.has(name)) return name;
  }
}

/** The part of a name that goes into file names: plain characters only, and not many. */
export const fileSafe = (name: string): string =>
  name.replace(/[^A-Za-z0-9._-]+/g, '_').slice(0, 40);
