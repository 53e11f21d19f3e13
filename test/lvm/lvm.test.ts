import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { labCacheFolder } from '../../src/lab/kit.ts';
import { compareProved, provedIn } from '../lab/cases/table.ts';
import { guestEnvironment } from '../lab-host/environment.ts';
import { declareTests } from '../lab-host/suite/declare-tests.ts';
import { runSuite, suiteName } from '../lab-host/suite/run-suite.ts';
import { LONG } from '../long.ts';

const GIB = 1024 ** 3;
const COLUMNS_OF_LVM = ['lvm', 'lvm-thin', 'lvm-mixed', 'libvirt-lvm'] as const;
/** The others kill, run full and measure, or show what these build upon. */
const SHORT = '^cases$';
const only = new RegExp(process.env.DOMSNAP_LVM_ONLY ?? (LONG ? '' : SHORT));

/** What hosts that share volume groups agree by. */
const LOCKS = ['/usr/sbin/lvmlockd', '/usr/sbin/sanlock'];
const canShare = LOCKS.every(path => existsSync(path));

const files = globSync(join(import.meta.dirname, 'inside/*.inside.ts'))
  .filter(file => only.test(suiteName(file)))
  .filter(file => canShare || suiteName(file) !== 'shared')
  .sort();

/** A short run takes the domain that has every kind of disk through half of the cases. */
const chosen = LONG ? { DOMSNAP_LVM_KILLS: '5' } : { DOMSNAP_LVM_KIND: '^lvm-mixed$' };

let said = '';

// Before the tests are declared: what they are is in the report.
const { results, trouble, bootS, testsS } = await runSuite({
  files,
  environment: { ...chosen, ...guestEnvironment(process.env) },
  cacheFolder: labCacheFolder(process.env),
  diskBytes: [4 * GIB, 4 * GIB],
  memoryMb: 2048,
  timeoutMs: 60 * 60_000,
  onOutput: bytes => {
    said += bytes.toString();
  },
});
console.log(
  `lvm: the first test began after ${bootS.toFixed(1)} s, the last ended ${testsS} s later`,
);

/** What tests tell beside that they pass: figures, and what became of whom. */
console.log((said.match(/^(pause|kill) .*$/gm) ?? []).join('\n'));

// In a short run only the domain of all kinds of disks goes through the cases.
describe.each(COLUMNS_OF_LVM)('the column %s of the table of cases', column => {
  const passed = results
    .filter(({ file, status }) => file === 'cases' && status === 'passed')
    .filter(({ path: [kind] }) => kind === column)
    .map(({ path }) => `${path.at(-1)}.${column === 'lvm-mixed' ? 'external' : 'internal'}`);
  if (passed.length > 0 && LONG) {
    test('is as it has been proved', () => compareProved(column, new Set(passed)));
  } else if (passed.length > 0) {
    test('holds what the short form has proved', () =>
      expect(provedIn(column)).toEqual(expect.arrayContaining(passed)));
  } else test.skip('is for the long form: DOMSNAP_LONG=1', () => {});
});

if (only.test('shared') && !canShare) {
  test.skip("groups that hosts share need Debian's packages lvm2-lockd and sanlock", () => {});
}

declareTests(files, { results, trouble });
