import { parseArgs } from 'node:util';

/** What can be measured by itself. `create` and `delete` share their rounds. */
export const PARTS = [
  'start',
  'list',
  'engine',
  'memory',
  'create',
  'delete',
  'revert',
  'virsh',
  'libvirt',
] as const;
export type Part = (typeof PARTS)[number];

/** How the bench is to run. */
export interface BenchOptions {
  readonly rounds: number;
  /** MiB of guest memory. */
  readonly sizes: readonly number[];
  readonly parts: ReadonlySet<Part>;
  /** Only cases whose names hold one of these; empty: all. */
  readonly cases: readonly string[];
  /** Operations in one process, for the memory part. */
  readonly operations: number;
  readonly json: string | undefined;
  readonly build: boolean;
  /** Also show where the time of each operation went, step by step. */
  readonly steps: boolean;
}

/** The command line is wrong. */
export class BenchUsageError extends Error {
  override readonly name = 'BenchUsageError';
}

export const USAGE = `npm run bench -- [options]
  --rounds N        rounds of each measurement (default 10)
  --sizes A,B       guest memory in MiB (default 256,1024)
  --only A,B        parts: ${PARTS.join(', ')} (default: all)
  --cases A,B       only cases whose names contain one of these
  --operations N    operations in one process, for the memory part (default 1000)
  --json FILE       write all measurements there
  --steps           also show where each operation's time went
  --no-build        measure what lies in dist/ already`;

/** Parse the command line. Throws BenchUsageError. */
export function benchOptions(argv: readonly string[]): BenchOptions {
  const { values } = parsed(argv);
  return {
    rounds: positive('--rounds', values.rounds),
    sizes: words(values.sizes).map(size => positive('--sizes', size)),
    parts: new Set(values.only === undefined ? PARTS : words(values.only).map(part)),
    cases: words(values.cases),
    operations: positive('--operations', values.operations),
    json: values.json,
    build: !values['no-build'],
    steps: values.steps,
  };
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        rounds: { type: 'string', default: '10' },
        sizes: { type: 'string', default: '256,1024' },
        only: { type: 'string' },
        cases: { type: 'string', default: '' },
        operations: { type: 'string', default: '1000' },
        json: { type: 'string' },
        steps: { type: 'boolean', default: false },
        'no-build': { type: 'boolean', default: false },
      },
    });
  } catch (cause) {
    throw new BenchUsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

const words = (text: string): string[] => text.split(',').filter(word => word !== '');

function positive(option: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new BenchUsageError(`${option}: ${text} is not a whole number above 0`);
}

function part(word: string): Part {
  const found = PARTS.find(one => one === word);
  if (found) return found;
  throw new BenchUsageError(`--only: there is no part ${word}; there are ${PARTS.join(', ')}`);
}
