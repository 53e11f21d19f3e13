import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import type { Saga } from '../../machines/saga.ts';
import { htmlOf, operationOf, readmeOf } from './pages.ts';
import { renderCase } from './render-case.ts';

/** How the folder differs from what the machines say. */
export interface Drift {
  /** Path in the folder, with forward slashes. */
  readonly file: string;
  readonly what: 'missing' | 'stale' | 'extra';
}

/** Every file that the folder of diagrams should hold, by its path in it. */
export async function diagramFiles(sagas: readonly Saga[]): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const svgs = new Map<string, string>();
  for (const saga of sagas) {
    const path = `${operationOf(saga)}/${saga.id}`;
    const svg = await renderCase(saga, 'svg');
    svgs.set(saga.id, svg);
    files.set(`${path}.mmd`, await renderCase(saga, 'mermaid'));
    files.set(`${path}.svg`, svg);
  }
  files.set('README.md', readmeOf(sagas));
  files.set('index.html', htmlOf(sagas, svgs));
  return files;
}

/** Compare a folder with what it should hold; reads only. A folder that is not there misses all. */
export async function driftOf(
  folder: string,
  files: ReadonlyMap<string, string>,
): Promise<readonly Drift[]> {
  const found = await filesIn(folder);
  const drift: Drift[] = found.filter(file => !files.has(file)).map(extra);
  for (const [file, content] of files) {
    if (!found.includes(file)) drift.push({ file, what: 'missing' });
    else if ((await readFile(join(folder, file), 'utf8')) !== content) {
      drift.push({ file, what: 'stale' });
    }
  }
  return drift.sort((a, b) => (a.file < b.file ? -1 : 1));
}

/**
 * Make a folder hold these files and no others, since all in it is generated; tells what it changed.
 * Only files that differ are written.
 */
export async function writeDiagrams(
  folder: string,
  files: ReadonlyMap<string, string>,
): Promise<readonly Drift[]> {
  const drift = await driftOf(folder, files);
  for (const { file, what } of drift) {
    const path = join(folder, file);
    if (what === 'extra') {
      await rm(path);
    } else {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, files.get(file) ?? '');
    }
  }
  return drift;
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter(entry => !entry.isDirectory())
      .map(entry => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

const extra = (file: string): Drift => ({ file, what: 'extra' });
