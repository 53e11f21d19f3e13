import { existsSync, globSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { downloadAndUnpack } from '../../src/lab/debian-packages.ts';
import { tools } from './tools.ts';

/**
 * libeatmydata, of Debian's package of that name, kept in the cache: preloaded, it makes fsync,
 * fdatasync and their like do nothing. So the proof is seen to fail without a line of domsnap changed.
 */
export async function noSyncLibrary(cacheFolder: string): Promise<string> {
  const library = join(cacheFolder, 'libeatmydata.so');
  if (existsSync(library)) return library;
  const work = await mkdtemp(join(cacheFolder, 'making-'));
  try {
    const root = join(work, 'root');
    await downloadAndUnpack(tools, ['libeatmydata1'], join(work, 'debs'), root);
    const [found] = globSync(join(root, 'usr/lib/*/libeatmydata.so*'));
    if (found === undefined) throw new Error('the package libeatmydata1 holds no libeatmydata.so');
    await copyFile(found, library);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return library;
}
