import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Plugin, rolldown } from 'rolldown';

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

/** Write the command line to a folder of its own (1 s), in place of what lies there. */
export async function bundleCommandLine(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  const bundle = await rolldown({
    input: { main: new URL('../cli/main.ts', import.meta.url).pathname },
    platform: 'node',
    // Packages that carry their own data, and are needed for a picture or a lab alone.
    external: ['@hpcc-js/wasm-graphviz'],
    plugins: [unreadBuiltins],
    logLevel: 'warn',
  });
  await bundle.write({
    dir: folder,
    format: 'esm',
    minify: true,
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
    codeSplitting: { groups: TOGETHER },
  });
  await bundle.close();
  chmodSync(join(folder, 'main.js'), 0o755);
}
