import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../tools/run.ts';
import { bundleCommandLine } from './bundle-command-line.ts';

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
await bundleCommandLine(join(root, 'dist/cli'));
