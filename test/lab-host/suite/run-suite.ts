import { basename, join } from 'node:path';
import { LAB } from '../initramfs.ts';
import { type LabRun, runInLab } from '../run-in-lab.ts';
import { bundleSuite } from './bundle.ts';
import { parseReport, type TestResult } from './report.ts';

export interface SuiteRun extends Omit<LabRun, 'argv' | 'cwd' | 'prepare'> {
  /** The test files, each `NAME.inside.ts`. */
  readonly files: readonly string[];
}

export interface SuiteEnd {
  readonly results: readonly TestResult[];
  /** Why there may be tests that nothing is known of. */
  readonly trouble: string | undefined;
  /** From the host's start to the first test file, and from there to the end. */
  readonly bootS: number;
  readonly testsS: number;
}

const ROOT = new URL('../../..', import.meta.url).pathname;

/** What a test file is called in the report. */
export const suiteName = (file: string): string => basename(file, '.inside.ts');

/** Run test files one after the other in one lab host. Never rejects: what went wrong is `trouble`. */
export async function runSuite({ files, ...run }: SuiteRun): Promise<SuiteEnd> {
  const named = Object.fromEntries(files.map(file => [suiteName(file), file]));
  const folder = `${LAB}/share/suite`;
  const argv = ['node', '--enable-source-maps', `${folder}/main.js`, ...Object.keys(named)];
  try {
    const prepare = (share: string) => bundleSuite(named, join(share, 'suite'));
    const { report, uptimeS, end: how } = await runInLab({ ...run, argv, cwd: ROOT, prepare });
    const { results, end } = parseReport(report ?? '');
    const trouble = end ? undefined : `not all tests were run. ${how}`;
    const testsS = (end?.durationMs ?? 0) / 1000;
    return { results, trouble, bootS: uptimeS - testsS, testsS };
  } catch (error) {
    const trouble = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { results: [], trouble, bootS: 0, testsS: 0 };
  }
}
