import { join } from 'node:path';
import { z } from 'zod';
import { run } from '../tools/run.ts';
import { type Finding, series } from './findings.ts';
import { log } from './say.ts';
import { slopeOf } from './statistics.ts';

const PROGRAM = new URL('memory-process.ts', import.meta.url).pathname;
const MIB = 1024 * 1024;
/** Before so many operations the process is still warming up. */
const WARM_OPERATIONS = 100;
/** Growth of the heap over 1,000 operations that still counts as flat: less than a module or two. */
const FLAT_MIB = 2;
const LONGEST_MS = 60 * 60_000;

const line = z.object({ operations: z.number(), rssBytes: z.number(), heapBytes: z.number() });

/** What a process occupies after each of many operations on a tiny disk without a guest. */
export async function memoryPart(folder: string, operations: number): Promise<Finding[]> {
  const argv = [
    process.execPath,
    '--expose-gc',
    PROGRAM,
    join(folder, 'memory'),
    String(operations),
  ];
  const { stdout } = await run(argv as [string, ...string[]], { timeoutMs: LONGEST_MS, log });
  const samples = stdout
    .split('\n')
    .filter(text => text !== '')
    .map(text => line.parse(JSON.parse(text)));
  const warm = samples.filter(sample => sample.operations >= WARM_OPERATIONS);
  const counted = warm.length > 1 ? warm : samples;
  const grown = (of: (sample: z.infer<typeof line>) => number): number =>
    (slopeOf(counted.map(sample => ({ x: sample.operations, y: of(sample) }))) * 1000) / MIB;
  const common = {
    part: 'memory',
    memoryMb: null,
    unit: 'MiB' as const,
    against: '',
    other: null,
  };
  const growth = { heap: grown(one => one.heapBytes), rss: grown(one => one.rssBytes) };
  const enough = warm.length > 1;
  return [
    {
      ...common,
      what: `heap grown in 1,000 operations`,
      domsnap: series([growth.heap]),
      verdicts: enough ? [{ limit: `flat: < ${FLAT_MIB} MiB`, holds: growth.heap < FLAT_MIB }] : [],
      note: `after garbage collection, by the slope over ${counted.length} samples of ${operations} operations`,
    },
    {
      ...common,
      what: 'resident memory grown in 1,000 operations',
      domsnap: series([growth.rss]),
      verdicts: [],
    },
    {
      ...common,
      what: 'heap in use',
      domsnap: series(counted.map(({ heapBytes }) => heapBytes / MIB)),
      verdicts: [],
    },
    {
      ...common,
      what: 'resident memory',
      domsnap: series(counted.map(({ rssBytes }) => rssBytes / MIB)),
      verdicts: [],
    },
  ];
}
