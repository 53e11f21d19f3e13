import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Plugin, rolldown } from 'rolldown';

const HERE = import.meta.dirname;

/** In the lab host, tests import a stand-in where they name vitest; only that has the real one. */
const standIn: Plugin = {
  name: 'stand-in-for-vitest',
  resolveId(id, importer) {
    if (id !== 'vitest' || importer === `${HERE}/vitest.ts`) return null;
    return `${HERE}/vitest.ts`;
  },
};

/** Modules know where they are by where they were written: the lab host has the checkout at its place. */
const whereItWas: Plugin = {
  name: 'where-it-was',
  transform(code, id) {
    if (!code.includes('import.meta.') || id === `${HERE}/main.ts`) return null;
    const moved = code
      .replaceAll(/\bimport\.meta\.url\b/g, JSON.stringify(pathToFileURL(id).href))
      .replaceAll(/\bimport\.meta\.dirname\b/g, JSON.stringify(dirname(id)))
      .replaceAll(/\bimport\.meta\.filename\b/g, JSON.stringify(id));
    // No line has moved.
    return { code: moved, map: null };
  },
};

/**
 * Write test files, by their names, and what runs them (`main.js`) to a folder that shall be shared with
 * a lab host. There every file that is opened and every line that is compiled costs twenty times as much.
 */
export async function bundleSuite(
  files: Readonly<Record<string, string>>,
  folder: string,
): Promise<void> {
  const bundle = await rolldown({
    input: { ...files, main: `${HERE}/main.ts` },
    platform: 'node',
    external: ['@hpcc-js/wasm-graphviz', 'rolldown'],
    plugins: [standIn, whereItWas],
    logLevel: 'warn',
  });
  await bundle.write({
    dir: folder,
    format: 'esm',
    sourcemap: true,
    sourcemapPathTransform: (source, map) => resolve(dirname(map), source),
    chunkFileNames: '[name]-chunk.js',
  });
  await bundle.close();
}
