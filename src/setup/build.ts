import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Plugin, rolldown } from 'rolldown';
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

/**
 * What every command that changes a domain needs until it asks QEMU is in two files, as each file costs
 * 1 ms: these modules and all they import. A rescue does without the first.
 */
const TOGETHER = [
  { name: 'command-line', test: /src\/cli\/run-command-line\.ts$/ },
  {
    name: 'operation',
    test: /src\/(cli\/(create|revert|delete)|toolstacks\/qemu\/(domain-config|toolstack))\.ts$/,
  },
];

/**
 * To import a module of Node's is to read all its properties, and some of these load half of Node:
 * `node:util` its worker threads, `node:process` the terminal, `node:crypto` every cipher. The process
 * hands out the same modules unread.
 */
const unreadBuiltins: Plugin = {
  name: 'unread-builtins',
  // The bundle's own beginning imports node:module.
  resolveId: id => (id.startsWith('node:') && id !== 'node:module' ? `\0${id}` : null),
  load: id =>
    id.startsWith('\0node:')
      ? `module.exports = process.getBuiltinModule(${JSON.stringify(id.slice(1))})`
      : null,
};

const bundle = await rolldown({
  input: { main: join(root, 'src/cli/main.ts') },
  platform: 'node',
  // Packages that carry their own data, and are needed for a picture or a lab alone.
  external: ['@hpcc-js/wasm-graphviz'],
  plugins: [unreadBuiltins],
  logLevel: 'warn',
});
await bundle.write({
  dir: join(root, 'dist/cli'),
  format: 'esm',
  minify: true,
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
  codeSplitting: { groups: TOGETHER },
});
await bundle.close();
chmodSync(join(root, 'dist/cli/main.js'), 0o755);
