import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'vitest';
import { labCacheFolder } from '../../src/lab/kit.ts';
import { guestEnvironment } from '../lab-host/environment.ts';
import { declareTests } from '../lab-host/suite/declare-tests.ts';
import { runSuite } from '../lab-host/suite/run-suite.ts';
import { LONG } from '../long.ts';

// AppArmor confines nobody on a host whose kernel does not have it, or has it turned off: so these tests have a
// host of their own, in QEMU, with Debian's kernel and the profiles of Debian's libvirt.

const files = [join(import.meta.dirname, 'inside/apparmor.inside.ts')];

if (!LONG) test.skip('in the long form: DOMSNAP_LONG=1', () => {});
else if (!existsSync('/usr/sbin/apparmor_parser')) {
  test.skip("it needs Debian's package apparmor, which loads the profiles", () => {});
} else {
  // Before the tests are declared: what they are is in the report.
  const end = await runSuite({
    files,
    environment: guestEnvironment(process.env),
    cacheFolder: labCacheFolder(process.env),
    diskBytes: [],
    memoryMb: 2048,
    appArmor: true,
    timeoutMs: 30 * 60_000,
    onOutput: () => {},
  });
  declareTests(files, end);
}
