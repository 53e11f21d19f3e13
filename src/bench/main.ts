import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runBench } from './bench.ts';
import { BenchUsageError, benchOptions, USAGE } from './options.ts';
import { say } from './say.ts';
import { stepTable } from './step-times.ts';
import { markdown } from './table.ts';

/** `npm run bench`: what domsnap costs, against its floor and against virsh. Nothing is left behind. */
const folder = await mkdtemp(join(tmpdir(), 'domsnap-bench-'));
try {
  const options = benchOptions(process.argv.slice(2));
  const { facts, results, failure } = await runBench(folder, options);
  const { findings, matches } = results;
  process.stdout.write(`${markdown(findings)}\n`);
  if (options.steps) {
    for (const { match, memoryMb } of matches) {
      process.stdout.write(`\n${stepTable(match, memoryMb)}\n`);
    }
  }
  if (options.json !== undefined) {
    const { rounds } = options;
    await writeFile(options.json, `${JSON.stringify({ facts, rounds, findings, matches })}\n`);
  }
  if (failure !== undefined) {
    say(`cut short: ${failure instanceof Error ? failure.stack : String(failure)}`);
    process.exitCode = 1;
  }
} catch (error) {
  if (!(error instanceof BenchUsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${USAGE}\n`);
  process.exitCode = 2;
} finally {
  await rm(folder, { recursive: true, force: true });
}
