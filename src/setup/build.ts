import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../tools/run.ts';

/** Compile for publishing: Node strips no types inside node_modules, so what is installed is JavaScript. */
const root = new URL('../..', import.meta.url).pathname;
rmSync(join(root, 'dist'), { recursive: true, force: true });
const compile = [
  join(root, 'node_modules/.bin/tsc'),
  '--noEmit',
  'false',
  '--declaration',
  '--outDir',
  join(root, 'dist'),
  '--rootDir',
  root,
  '--project',
  join(root, 'src/setup/tsconfig.json'),
] as const;
await run([...compile], { timeoutMs: 120_000, log() {}, cwd: root });
chmodSync(join(root, 'dist/src/cli/main.js'), 0o755);
