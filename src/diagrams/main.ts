import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MACHINES } from '../../machines/index.ts';
import { diagramFiles, driftOf, writeDiagrams } from './write.ts';

/**
 * `node src/diagrams/main.ts [--check]`: draw all machines into `diagrams/`; or, with `--check`, write
 * nothing, name each file that differs, and exit with 1 if there is one.
 */
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const folder = join(import.meta.dirname, '../../diagrams');
const files = await diagramFiles([...MACHINES.values()]);

if (values.check) {
  const drift = await driftOf(folder, files);
  for (const { file, what } of drift) process.stdout.write(`${what}: diagrams/${file}\n`);
  if (drift.length > 0) {
    process.stderr.write('the diagrams are not what the machines say; draw them again\n');
    process.exitCode = 1;
  }
} else {
  const words = { missing: 'new', stale: 'drawn again', extra: 'removed' } as const;
  for (const { file, what } of await writeDiagrams(folder, files)) {
    process.stdout.write(`${words[what]}: diagrams/${file}\n`);
  }
}
