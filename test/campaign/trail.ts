import { existsSync, readFileSync } from 'node:fs';
import type { World } from '../lab/cases/harness.ts';
import { newest } from './recovered.ts';

/** What the last operation has come through, a line a record: what a violation is understood by. */
export function trail(world: World): string {
  const operation = newest(world);
  if (!operation) return 'no operation';
  const lines = world.session.journal
    .records(operation.id)
    .map(({ at, calls: made, fact, from, to }) => {
      const failed = made.filter(({ exit }) => exit !== 'ok' && exit !== 0);
      const calls = failed.map(({ tool, command, exit }) =>
        [tool, JSON.stringify(command), exit].join(' ').slice(0, 300),
      );
      return [at, JSON.stringify(fact).slice(0, 600), `${from} → ${to}`, ...calls].join('  ');
    });
  const heading = `${operation.caseId} ${operation.id}: ${operation.status}`;
  return [heading, ...lines, ...lastWords(world)].join('\n');
}

/** The end of QEMU's own log. */
function lastWords(world: World): string[] {
  const path = world.keeper.logOf(world);
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  return text
    .slice(-1_500)
    .split('\n')
    .map(line => `QEMU: ${line}`);
}
