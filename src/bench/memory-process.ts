import { runRequest } from '../operations/run-request.ts';
import { DOMAIN } from './lab-guest.ts';
import { smallDomain } from './small-domain.ts';

/**
 * Many operations in one process, and what it occupies: `memory-process.ts FOLDER COUNT`, under
 * `--expose-gc`. A line of JSON every 50 operations.
 */
const [folder = '', count = '1000'] = process.argv.slice(2);
const SAMPLE_EVERY = 50;
const collect = globalThis.gc;
if (!collect) throw new Error('this runs under node --expose-gc');

const { session } = await smallDomain(folder);
for (let done = 0; done < Number(count); ) {
  const name = `s${done}`;
  const create = { operation: 'create', domain: DOMAIN, name, disks: 'internal' } as const;
  for (const request of [create, { operation: 'delete', domain: DOMAIN, name } as const]) {
    const { outcome, failures } = await runRequest(session, request);
    if (outcome !== 'committed') throw new Error(JSON.stringify(failures));
    done += 1;
    if (done % SAMPLE_EVERY === 0) sample(done);
  }
}
session.close();

function sample(operations: number): void {
  collect?.();
  const { rss, heapUsed } = process.memoryUsage();
  const line = { operations, rssBytes: rss, heapBytes: heapUsed };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
