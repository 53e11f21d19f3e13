import { dirname, relative, resolve } from 'node:path';
import { ToolError } from '../tool-error.ts';

/** One way in which a VHD names its parent: the platform's code, and the name in its words. */
export interface Locator {
  readonly platform: string;
  readonly bytes: Buffer;
}

/**
 * How a child names its parent: as seen from its own folder, so that both can move together, and by
 * its absolute path. Both as Windows and vhd-util write them: UTF-16, little endian, with backslashes.
 * Throws ToolError `refused` for a name that cannot be written so.
 */
export function locatorsFor(child: string, parent: string): Locator[] {
  const path = resolve(parent);
  const near = relative(dirname(resolve(child)), path);
  for (const text of [near, path]) {
    if (!text.includes('\\') && !text.includes('\0')) continue;
    const message = `${parent} has a backslash in its name, which a VHD takes for a folder's end`;
    throw new ToolError('file', 'refused', message, { path: parent });
  }
  const here = near.startsWith('..') ? near : `./${near}`;
  return [
    { platform: 'W2ru', bytes: windows(here) },
    { platform: 'W2ku', bytes: windows(`C:${path}`) },
  ];
}

const windows = (path: string): Buffer => Buffer.from(path.replaceAll('/', '\\'), 'utf16le');

/** Where a locator may mean, as absolute paths; those of platforms that are not known mean nothing. */
export function pathsOf(child: string, { platform, bytes }: Locator): string[] {
  const folder = dirname(resolve(child));
  const meant = (text: string): string[] =>
    text === '' || text.includes('\0') ? [] : [resolve(folder, text)];
  switch (platform) {
    case 'W2ru':
    case 'W2ku': {
      const text = bytes.toString('utf16le').replace(/\0+$/, '').replaceAll('\\', '/');
      return meant(text.replace(/^[A-Za-z]:(?=\/)/, ''));
    }
    case 'MacX': {
      const text = bytes.toString('utf8').replace(/\0+$/, '');
      const path = text.replace(/^file:\/\/(localhost)?/, '');
      return [...new Set([...meant(path), ...meant(decoded(path))])];
    }
    default:
      return [];
  }
}

/** A path out of a URI; as it is, where it was not written as one. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The relative one first: it is still right where all images have been moved together. */
export const inOrder = (locators: readonly Locator[]): Locator[] => {
  const rank = ({ platform }: Locator) => ['W2ru', 'W2ku', 'MacX'].indexOf(platform);
  return [...locators].sort((one, other) => rank(one) - rank(other));
};
