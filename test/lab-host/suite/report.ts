/** How a test in a lab host ended. */
export interface TestResult {
  /** The file's name, without its endings. */
  readonly file: string;
  /** The names of the suites it is in, and its own. */
  readonly path: readonly string[];
  readonly status: 'passed' | 'failed' | 'skipped';
  readonly durationMs: number;
  readonly error?: TestFailure | undefined;
}

/** What a test threw; what was compared, as text. */
export interface TestFailure {
  readonly message: string;
  readonly stack: string;
  readonly actual?: string | undefined;
  readonly expected?: string | undefined;
}

/** The last line of a report: all files have been run, in this long. */
export interface ReportEnd {
  readonly ended: true;
  readonly durationMs: number;
}

/**
 * Reads a report, of which each line is a result and the last its end: so what was found before a host
 * died is kept. Lines that are torn, or come after a hole, are left out.
 */
export function parseReport(text: string): { results: TestResult[]; end: ReportEnd | undefined } {
  const results: TestResult[] = [];
  for (const line of text.split('\n').slice(0, -1)) {
    const entry = JSON.parse(line) as TestResult | ReportEnd;
    if ('ended' in entry) return { results, end: entry };
    results.push(entry);
  }
  return { results, end: undefined };
}
