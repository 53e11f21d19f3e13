import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { run } from '../tools/run.ts';

/**
 * Build for publishing: Node strips no types inside node_modules, so what is installed is JavaScript.
 *
 * - `dist/src/index.js` and its types: the library, file by file, over the packages it depends on.
 * - `dist/cli/`: the command line in a few files, its packages inside. Loading 280 small files takes
 *   longer than most commands; a command loads what it needs of these when it needs it.
 */
const root = new URL('../..', import.meta.url).pathname;
rmSync(join(root, 'dist'), { recursive: true, force: true });
const compiler = join(root, 'node_modules/.bin/tsc');
const project = join(root, 'src/setup/tsconfig.json');
await run([compiler, '--project', project], { timeoutMs: 180_000, log() {}, cwd: root });

const bundle = await rolldown({
  input: { main: join(root, 'src/cli/main.ts') },
  platform: 'node',
  // Packages that carry their own data, and are needed for a picture or a lab alone.
  external: ['@hpcc-js/wasm-graphviz'],
  logLevel: 'warn',
});
await bundle.write({
  dir: join(root, 'dist/cli'),
  format: 'esm',
  minify: true,
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
});
await bundle.close();
chmodSync(join(root, 'dist/cli/main.js'), 0o755);
