import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { collect } from './collect.ts';
import type { ReportEnd, TestResult } from './report.ts';
import { runGroup, toFailure } from './run-group.ts';

/**
 * Runs in the lab host: the test files whose names it is given, as `bundleSuite` wrote them beside this
 * one. A line of the report (`DOMSNAP_LAB_REPORT`) for each test, and what a person may read.
 */
const report = process.env.DOMSNAP_LAB_REPORT;
const begun = performance.now();
let failed = 0;

const write = (entry: TestResult | ReportEnd) => {
  if (report) appendFileSync(report, `${JSON.stringify(entry)}\n`);
};

function tell(result: TestResult): void {
  write(result);
  const { file, path, status, durationMs, error } = result;
  const mark = { passed: '✓', failed: '✗', skipped: '-' }[status];
  console.log(`${mark} ${[file, ...path].join(' > ')}  ${durationMs} ms`);
  if (!error) return;
  failed += 1;
  console.log(error.stack || error.message);
  if (error.expected !== undefined)
    console.log(`expected: ${error.expected}\nfound:    ${error.actual}`);
}

for (const file of process.argv.slice(2)) {
  try {
    const group = await collect('', () => import(join(import.meta.dirname, `${file}.js`)));
    await runGroup(group, [], ended => tell({ file, ...ended }));
  } catch (thrown) {
    const path = ['cannot be loaded'];
    tell({ file, path, status: 'failed', durationMs: 0, error: toFailure(thrown) });
  }
}
const durationMs = Math.round(performance.now() - begun);
write({ ended: true, durationMs });
// What a test has left running must not keep the host up.
process.exit(failed === 0 ? 0 : 1);
